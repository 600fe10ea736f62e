// SPDX-License-Identifier: GPL-3.0-or-later
// The page says what is so: each of these was once untrue.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { launch, open, PHONE } from './browser.mjs'
import { button, count, fillTask, requestsOf, until, withHost } from './stage.mjs'

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const rowOf = (app, user) => app.getByRole('row', { name: new RegExp(`Select the task of ${user} `) })

it('finds no problem in the log of a perfect run, and each one in that of another', () =>
  withHost({ tasks: 8 }, async (host) => {
    const perfect = await open(browser, host, 'page=log&user=anna.rossi&task=t00000')
    await perfect.app.getByText('Exiting with return value 0').waitFor()
    assert.ok(await perfect.app.getByLabel('Problems only (0)').isDisabled())
    assert.equal(await perfect.app.locator('.isy-log__line--problem').count(), 0)
    await perfect.close()
    const failed = await open(browser, host, 'page=log&user=dario.dupont&task=t00003')
    await failed.app.getByLabel('Problems only (5)').check()
    assert.equal(await failed.app.locator('.isy-log__line').count(), 5)
    await failed.close()
  }))

it('tells tasks that were started from those that ran already, and stopped ones from those that did not run', () =>
  withHost({ tasks: 6 }, async (host) => {
    const { app, ...view } = await open(browser, host, 'page=tasks')
    await view.settled()
    const all = () => app.getByLabel('Select all tasks of this page').check()
    await all()
    await button(app, 'Stop').click()
    await app.getByText('1 task stopped. 5 were not running.').waitFor()
    await all()
    await button(app, 'Start').click()
    await app.getByText('6 tasks started.').waitFor()
    await all()
    await button(app, 'Start').click()
    await app.getByText('6 were running already.').waitFor()
    assert.equal(await app.getByText(/tasks? started/).count(), 0)
    await view.close()
  }))

it('shows how many messages a mailbox holds, and how many of them are new', () =>
  withHost({ tasks: 5 }, async (host, platform) => {
    Object.assign(platform.tasks.get('anna.rossi/t00000'), { mailbox_messages: 1234, last_sync_messages: 0 })
    Object.assign(platform.tasks.get('carla.meier/t00002'), { mailbox_messages: 20, last_sync_messages: 3 })
    const { app, ...view } = await open(browser, host, 'page=tasks')
    await rowOf(app, 'anna.rossi').getByText('1,234').waitFor()
    await rowOf(app, 'carla.meier').getByText('3 new in the last run').waitFor()
    await view.close()
  }))

it('names the cause when a preview or a verification is not possible', () =>
  withHost({ tasks: 5 }, async (host, platform) => {
    Object.assign(platform.tasks.get('anna.rossi/t00000'), { last_sync_exit_code: 161, last_sync_error: 'bad_user_credentials' })
    for (const [page, act] of [
      ['preview', 'Calculate'],
      ['verify', 'Verify'],
    ]) {
      const { app, ...view } = await open(browser, host, `page=${page}&user=anna.rossi&task=t00000`)
      await button(app, act).click()
      await app.getByText('The source server refuses this user name and password.').waitFor()
      await view.close()
    }
  }))

describe('a server that no one vouches for', () => {
  const server = { 'Source server': 'selfsigned.example.com' }

  it('is asked about when a task is saved, in sight and before the password is sent', () =>
    withHost({}, async (host, platform) => {
      const { app, page, ...view } = await open(browser, host, 'page=tasks&panel=new', { viewport: PHONE })
      await fillTask(app, server)
      await button(app, 'Save').click()
      const trust = button(app, 'Trust this certificate')
      await trust.waitFor()
      const box = await trust.boundingBox()
      assert.ok(box.y + box.height <= PHONE.height, 'the question is out of sight')
      assert.deepEqual(platform.passwords, [])
      await trust.click()
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      assert.match([...platform.tasks.values()][0].certificate, /^ab54/)
      await view.close()
    }))

  it('gets nothing when the answer is no', () =>
    withHost({}, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app, server)
      for (const act of ['Test the connection', 'Save']) {
        await button(app, act).click()
        await button(app.getByRole('dialog', { name: /^Do you trust/ }), 'Cancel').click()
        await app
          .getByText(/No known authority vouches for the server/)
          .first()
          .waitFor()
      }
      assert.deepEqual(platform.passwords, [])
      assert.equal(platform.tasks.size, 0)
      await view.page.close()
    }))
})

it('tells of a run that stands still instead of the time left', () =>
  withHost({ tasks: 2 }, async (host, platform) => {
    Object.assign(platform.runs.get('bruno.bianchi/t00001'), { pace: 1e9, idle: 130 })
    const { app, ...view } = await open(browser, host, 'page=tasks')
    await app.getByText(/nothing moved for 2 min/).waitFor()
    assert.equal(await app.getByText(/ left$/).count(), 0)
    await view.close()
  }))

it('says that its numbers stand still: without a connection, and when signed out', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    const { app, page, ...view } = await open(browser, host, 'page=tasks', { before: (page) => page.clock.install() })
    await view.settled()
    platform.offline = true
    await page.clock.runFor(40_000)
    await app.getByText('The cluster cannot be reached').waitFor()
    await app.getByText(/^The numbers below stand still: they are of/).waitFor()
    platform.offline = false
    await page.clock.runFor(40_000)
    await app.getByText('The cluster cannot be reached').waitFor({ state: 'detached' })
    const tokens = [...platform.tokens]
    platform.tokens.clear()
    await until(async () => {
      await page.clock.runFor(5_000)
      return app.getByText('You are signed out').isVisible()
    }, 'the notice')
    for (const token of tokens) platform.tokens.add(token)
    await button(app, 'Try again').click()
    await app.getByText('You are signed out').waitFor({ state: 'detached' })
    await page.close()
  }))

it('keeps the bars of running tasks filled through a refresh and another page', () =>
  withHost({ tasks: 2 }, async (host, platform) => {
    platform.runs.get('bruno.bianchi/t00001').pace = 1e9
    platform.runs.get('bruno.bianchi/t00001').done = 200
    const { app, ...view } = await open(browser, host, 'page=tasks')
    const bar = app.getByRole('progressbar')
    await app.getByText(/ of 11 · /).waitFor()
    const full = await bar.getAttribute('aria-valuenow')
    assert.ok(Number(full) > 0)
    const listed = count(platform, 'list-tasks')
    await button(app, 'Refresh').click()
    await until(() => count(platform, 'list-tasks') > listed, 'the refresh')
    await view.settled()
    const filled = async () => Number(await bar.getAttribute('aria-valuenow')) >= Number(full)
    assert.ok(await filled())
    await app.getByRole('link', { name: 'About' }).click()
    await app.getByRole('heading', { name: 'About' }).waitFor()
    await app.getByRole('link', { name: 'Tasks' }).click()
    await bar.waitFor()
    assert.ok(await filled())
    await view.close()
  }))

it('refuses to undo what another tab has saved, and says what that was', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    const panel = 'page=tasks&panel=edit&user=anna.rossi&task=t00000'
    const [first, second] = [await open(browser, host, panel), await open(browser, host, panel)]
    for (const { app } of [first, second]) await app.getByRole('dialog').waitFor()
    await first.app.getByRole('dialog').getByLabel('Schedule').selectOption('h')
    await button(first.app, 'Save').click()
    await first.app.getByText('The task of anna.rossi was saved.').waitFor()
    await second.app.getByLabel('Source user name').fill('other@old.org')
    await second.app.getByLabel('Password', { exact: true }).fill('secret')
    await button(second.app, 'Save').click()
    await second.app.getByText('This task was changed meanwhile; nothing was saved').waitFor()
    await second.app.getByText('Schedule: – → 1h').waitFor()
    assert.equal(count(platform, 'create-task'), 1)
    await button(second.app, 'Take over these values').click()
    await second.app.getByLabel('Password', { exact: true }).fill('secret')
    await button(second.app, 'Save').click()
    await second.app.getByText('The task of anna.rossi was saved.').waitFor()
    assert.equal(platform.tasks.get('anna.rossi/t00000').cron, '1h')
    await first.close()
    await second.close()
  }))

it('keeps a panel open whose task is deleted elsewhere', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    const { app, ...view } = await open(browser, host, 'page=tasks&panel=edit&user=anna.rossi&task=t00000')
    await app.getByRole('dialog').getByLabel('Schedule').selectOption('h')
    platform.tasks.delete('anna.rossi/t00000')
    await button(app, 'Save').click()
    await app.getByText('This task was deleted elsewhere').waitFor()
    assert.equal(await app.getByRole('dialog').getByLabel('Schedule').inputValue(), 'h')
    assert.equal(count(platform, 'create-task'), 0)
    await app.getByLabel('Password', { exact: true }).fill('secret')
    await button(app, 'Save').click()
    await app.getByText('The task of anna.rossi was saved.').waitFor()
    await view.close()
  }))

it('shows no one what programs say to each other', () =>
  withHost({}, async (host) => {
    const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
    await fillTask(app, { 'Source server': 'nowhere.example.com' })
    await button(app, 'Test the connection').click()
    await app.getByText('The source server cannot be reached: check the host and the port.').waitFor()
    assert.doesNotMatch(await app.locator('body').innerText(), /Query \{/)
    await view.page.close()
  }))

describe('refusals of many', () => {
  it('are grouped by their reasons, counted, and saved', () =>
    withHost({ tasks: 12 }, async (host, platform) => {
      platform['start-task'] = ({ tasks }) => ({
        results: tasks.map((task, at) => ({
          ...task,
          ...(at < 4 ? { result: 'refused', error: 'task_not_found' } : at < 6 ? { result: 'refused', error: 'failed' } : { result: 'started', error: null }),
        })),
      })
      const { app, page, ...view } = await open(browser, host, 'page=tasks')
      await view.settled()
      await app.getByLabel('Select all tasks of this page').check()
      await button(app, 'Start').click()
      await app.getByText('6 tasks started. 6 refused:').waitFor()
      await app.getByText('4 tasks: This task does not exist any more.').waitFor()
      await app.getByText('2 tasks: The module could not do this.').waitFor()
      const [download] = await Promise.all([page.waitForEvent('download'), button(app, 'Save as CSV').click()])
      assert.equal((await readFile(await download.path(), 'utf8')).trim().split('\r\n').length, 7)
      await view.close()
    }))

  it('are shown on Status likewise, with a way to try them again', () =>
    withHost({ tasks: 60 }, async (host, platform) => {
      const { app, page, ...view } = await open(browser, host, 'page=status')
      await view.settled()
      const failed = [...platform.tasks.values()].filter((task) => task.last_sync_error === 'bad_user_credentials')
      assert.ok(failed.length > 1)
      await app.getByText(`${failed.length} tasks: The source server refuses this user name and password.`).waitFor()
      const [download] = await Promise.all([page.waitForEvent('download'), button(app, 'Save as CSV').click()])
      assert.equal((await readFile(await download.path(), 'utf8')).trim().split('\r\n').length, 13)
      await app
        .getByRole('listitem')
        .filter({ hasText: 'refuses this user name' })
        .first()
        .getByRole('button', { name: `Retry these ${failed.length}` })
        .click()
      await app.getByText(`${failed.length} tasks started.`).waitFor()
      assert.equal(requestsOf(platform, 'start-task')[0].data.tasks.length, failed.length)
      await view.close()
    }))
})
