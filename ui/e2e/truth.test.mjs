// SPDX-License-Identifier: GPL-3.0-or-later
// The page says what is so: each of these was once untrue. What the real actions can show is in truth-real.test.mjs; this is
// what needs a server, a network or a number of failures that is made up.
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

it('reads the tasks again by itself when they could not be read, the first one too', () =>
  withHost({}, async (host, platform) => {
    const list = platform['list-tasks']
    const { app, page, ...view } = await open(browser, host, 'page=tasks&panel=new', { before: (page) => page.clock.install() })
    await view.settled()
    platform['list-tasks'] = () => {
      throw new Error('busy')
    }
    await fillTask(app)
    await button(app, 'Save').click()
    await app.getByText('The task of anna.rossi was saved.').waitFor()
    await app.getByText('The module does not answer').waitFor()
    platform['list-tasks'] = list
    await page.clock.runFor(40_000)
    await app.getByRole('row', { name: /Select the task of anna.rossi / }).waitFor()
    await app.getByText('The module does not answer').waitFor({ state: 'detached' })
    await view.close()
  }))

it('follows the tasks that it knows of while their list cannot be read, and asks for that calmly', () =>
  withHost({ tasks: 12 }, async (host, platform) => {
    for (const run of platform.runs.values()) run.pace = 1e9
    const list = platform['list-tasks']
    const { app, page, ...view } = await open(browser, host, 'page=tasks', { before: (page) => page.clock.install() })
    await view.settled()
    platform['list-tasks'] = () => {
      throw new Error('busy')
    }
    await button(app, 'Refresh').click()
    const notice = app.getByText('The module does not answer')
    await notice.waitFor()
    const [lists, polls] = ['list-tasks', 'get-progress'].map((action) => count(platform, action))
    for (let wound = 0; wound < 120; wound += 4) {
      await page.clock.runFor(4_000)
      await page.waitForFunction('window.host.listeners().length === 0')
      assert.ok(await notice.isVisible())
    }
    assert.ok(count(platform, 'get-progress') - polls > 5, 'the runs stand still')
    assert.ok(count(platform, 'list-tasks') - lists <= 5, 'it asks again and again')
    platform['list-tasks'] = list
    await page.clock.runFor(40_000)
    await notice.waitFor({ state: 'detached' })
    await view.close()
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
