// SPDX-License-Identifier: GPL-3.0-or-later
// Tasks that are moved together, and schedules that pause, on a stand-in for the actions.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { checkAccessibility, launch, open } from './browser.mjs'
import { button, count, requestsOf, until, withHost } from './stage.mjs'

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

it('names a batch of selected tasks, and narrows the list to it', () =>
  withHost({ tasks: 30 }, async (host, platform) => {
    const { app, page, ...view } = await open(browser, host, 'page=tasks&q=rossi')
    await view.settled()
    await app.getByLabel('Select all tasks of this page').check()
    const chosen = await app.locator('tbody tr').count()
    await app.getByRole('group', { name: 'Actions on the selected tasks' }).getByRole('button', { name: 'Batch' }).click()
    const dialog = app.getByRole('dialog')
    await dialog.getByLabel('Batch').fill('Week 12')
    await button(dialog, 'Save').click()
    await app.getByText(/tasks changed/).waitFor()
    assert.deepEqual(Object.keys(requestsOf(platform, 'update-tasks')[0].data).sort(), ['batch', 'tasks'])
    await app.getByLabel('Search').fill('')
    await page.waitForFunction('!location.hash.includes("q=rossi")')
    await app.getByLabel('Batch', { exact: true }).selectOption('Week 12')
    await page.waitForFunction('location.hash.includes("batch=Week")')
    assert.equal(await app.locator('tbody tr').count(), chosen)
    await app.getByLabel('Batch', { exact: true }).selectOption({ label: 'In no batch' })
    await until(async () => (await app.locator('tbody tr').count()) === 25, 'the others')
    await view.close()
  }))

it('shows a batch as one thing, and starts, pauses and retries all of it', () =>
  withHost({ tasks: 60 }, async (host, platform) => {
    const all = [...platform.tasks.values()]
    const ofBatch = all.slice(0, 30)
    for (const task of ofBatch) task.batch = 'Week 12'
    const { app, ...view } = await open(browser, host, 'page=tasks&batch=Week%2012')
    await view.settled()
    const summary = app.getByRole('region', { name: 'The batch Week 12' })
    await summary.getByText(/^\d+ of 30 tasks complete/).waitFor()
    const bar = Number(await summary.getByRole('progressbar').getAttribute('aria-valuenow'))
    assert.ok(bar > 0 && bar < 100, `${bar} %`)
    await checkAccessibility({ app, ...view }, 'the summary of a batch')

    const retry = summary.getByRole('button', { name: /^Retry/ }).first()
    const failed = Number((await retry.innerText()).match(/\d+/)[0])
    await retry.click()
    await app
      .getByText(/started/)
      .first()
      .waitFor()
    assert.equal(requestsOf(platform, 'start-task')[0].data.tasks.length, failed)

    await summary.getByRole('button', { name: /^Pause/ }).click()
    await until(() => count(platform, 'stop-task') === 1, 'the stop')
    assert.ok(ofBatch.every((task) => task.cron === '' || task.on_hold))
    assert.ok(all.slice(30).every((task) => !task.on_hold))
    await until(() => ofBatch.every((task) => !platform.runs.has(`${task.localuser}/${task.task_id}`)), 'the end of the runs')
    await summary.getByRole('button', { name: /^Resume/ }).click()
    await until(() => ofBatch.every((task) => !task.on_hold), 'the schedules')
    await view.close()
  }))

it('has its own page, found on Status: how much is moved, how fast, how long it takes, what failed', () =>
  withHost({ tasks: 30, batch: 'Week 12' }, async (host, platform) => {
    const { app, page, ...view } = await open(browser, host, 'page=status')
    await view.settled()
    await app.getByRole('link', { name: 'Week 12' }).click()
    await app.getByRole('heading', { name: 'Week 12', level: 1 }).waitFor()
    await page.waitForFunction('location.hash.includes("page=batch")')
    const summary = app.getByRole('region', { name: 'The batch Week 12' })
    await summary.getByText(/moved · .* messages · \d+ mailboxes are not counted yet · .* a second · .* left/).waitFor()
    assert.ok(Number(await summary.getByRole('progressbar').getAttribute('aria-valuenow')) > 0)
    await app.getByRole('img', { name: 'Throughput' }).waitFor()
    await app.getByText(/^At most .* a second, from/).waitFor()
    await checkAccessibility({ app, page, ...view }, 'the page of a batch')

    const retry = summary.getByRole('button', { name: /^Retry/ }).first()
    const failed = Number((await retry.innerText()).match(/\d+/)[0])
    await retry.click()
    await app.getByText(`${failed} tasks started`).waitFor()
    await summary.getByRole('button', { name: /^Pause/ }).click()
    await until(() => platform.runs.size === 0, 'the end of all runs')
    await app.getByText(/a second ·/).waitFor({ state: 'detached' })
    await summary.getByRole('link', { name: 'Show its tasks' }).click()
    await page.waitForFunction('location.hash.includes("page=tasks&batch=Week")')
    await app.getByRole('link', { name: 'Open the batch' }).waitFor()
    await view.close()
  }))

it('has a batch begin at a time, and takes it back', () =>
  withHost({ tasks: 6, batch: 'Week 12' }, async (host, platform) => {
    const timezoneId = 'America/New_York'
    const first = await open(browser, host, 'page=batch&name=Week%2012', { timezoneId })
    const section = first.app.getByRole('region', { name: 'Start at', exact: true })
    assert.match(await section.getByLabel('Date and time').inputValue(), /T22:00$/)
    await section.getByLabel('Date and time').fill('2020-01-01T00:00')
    await section.getByRole('button', { name: /^Start \d+ tasks? then$/ }).click()
    await section.getByText('Choose a time that is still to come.').waitFor()
    assert.equal(count(platform, 'start-batch'), 0)
    const year = new Date().getUTCFullYear() + 1
    await section.getByLabel('Date and time').fill(`${year}-01-08T21:30`)
    await section.getByRole('button', { name: /^Start \d+ tasks? then$/ }).click()
    await section.getByText(/^Starts Jan 8, \d{4}, 9:30\sPM, in \d+ days\.$/).waitFor()
    // Half past nine in New York in January is half past two in the morning in UTC.
    assert.equal(platform.startAt.get('Week 12'), Date.UTC(year, 0, 9, 2, 30) / 1000)
    await checkAccessibility(first, 'a batch that begins at a time')
    await first.close()

    const { app, ...view } = await open(browser, host, 'page=batch&name=Week%2012', { timezoneId })
    await button(app, 'Do not start').click()
    await app.getByLabel('Date and time').waitFor()
    assert.equal(platform.startAt.size, 0)
    await view.close()
  }))

it('assesses all mailboxes, goes on when the page is left, is stopped and gone on with, and saves what it found', () =>
  withHost({ tasks: 24, batch: 'Week 12' }, async (host, platform) => {
    platform.jobPace = 40
    const first = await open(browser, host, 'page=batch&name=Week%2012')
    await first.settled()
    await button(first.app, 'Assess 24 mailboxes').click()
    await first.app.getByText('You can leave this page').waitFor()
    await until(() => platform.found.assess.size > 0, 'the first mailbox')
    await first.close()

    // Another browser finds it at work.
    const { app, page, ...view } = await open(browser, host, 'page=batch&name=Week%2012')
    const section = app.getByRole('region', { name: 'Assess', exact: true })
    await section.getByText(/^\d+ of 24 mailboxes$/).waitFor()
    await button(section, 'Stop').click()
    await until(() => [...platform.batchJobs.values()][0].state !== 'running', 'the stop')
    assert.equal([...platform.batchJobs.values()][0].state, 'incomplete')
    await button(app, 'Load again')
      .or(app.getByRole('button', { name: 'Refresh' }))
      .first()
      .click()
    await section.getByText('Not all mailboxes were looked at.').waitFor()
    platform.jobPace = 0.1
    await button(section, 'Go on').click()
    await section.getByText(/^Finished/).waitFor()
    await section.getByText(/^\d+ can be moved, \d+ worth a look, \d+ cannot be moved$/).waitFor()
    await section
      .getByText(/^Expected durations are an assumption.* Measured in former runs: .* \(1 MB a second\)\. Nothing was pulled yet, so 1 MB a second/)
      .waitFor()
    // What was found is asked for once it is all there.
    await until(async () => (await section.locator('tbody tr').count()) === 24, 'all that was found')
    // What keeps a mailbox from moving comes first.
    assert.match(await section.locator('tbody tr').first().innerText(), /Cannot be moved/)
    const download = page.waitForEvent('download')
    await button(section, 'Save as CSV').click()
    assert.equal((await download).suggestedFilename(), 'imapsync-assessment.csv')
    await checkAccessibility({ app, page, ...view }, 'an assessment')
    await view.close()
  }))

it('verifies all mailboxes in one report, with a sheet for each', () =>
  withHost({ tasks: 24, batch: 'Week 12' }, async (host) => {
    const { app, page, ...view } = await open(browser, host, 'page=batch&name=Week%2012')
    const section = app.getByRole('region', { name: 'Verify all' })
    await button(section, 'Verify 24 mailboxes').click()
    await section.getByText(/^\d+ agree, \d+ differ, \d+ could not be compared$/).waitFor()
    await until(async () => (await section.locator('tbody tr').count()) === 24, 'all that was compared')
    const download = page.waitForEvent('download')
    await button(section, 'Save as CSV').click()
    assert.equal((await download).suggestedFilename(), 'imapsync-verification.csv')
    await checkAccessibility({ app, page, ...view }, 'a verification')
    await section
      .getByRole('row', { name: /differs/ })
      .first()
      .getByRole('link', { name: 'Sheet' })
      .click()
    await app.getByText('What was found when the batch was verified').waitFor()
    await app.getByText('The two sides differ.').waitFor()
    await view.close()
  }))

it('leads through the cut-over, and keeps what is ticked', () =>
  withHost({ tasks: 12, batch: 'Week 12' }, async (host, platform) => {
    const first = await open(browser, host, 'page=batch&name=Week%2012')
    const section = first.app.getByRole('region', { name: 'Cut-over' })
    await section
      .getByText(/^\d+ of 12 tasks complete · the oldest of their last runs is from /)
      .first()
      .waitFor()
    await section.getByRole('button', { name: /^Last delta.*: Start \d+ tasks?$/ }).click()
    await until(() => count(platform, 'start-task') === 1, 'the delta')
    await section.getByRole('checkbox', { name: /^Last delta/ }).check()
    await section.getByText(/^ticked .* tasks complete/).waitFor()

    await button(section, 'Ask DNS now').click()
    await section.getByRole('row', { name: 'old.org 10 mx.old.org 5 min' }).waitFor()
    await section.getByRole('row', { name: 'gone.example there is no such domain' }).waitFor()
    await checkAccessibility(first, 'the checklist of a cut-over')

    const ofBatch = [...platform.tasks.values()]
    await section.getByText(/^\d+ tasks have a schedule$/).waitFor()
    await section.getByRole('button', { name: /^End the schedules of \d+ tasks$/ }).click()
    await section.getByText(/ticked .* · 0 tasks have a schedule/).waitFor()
    assert.ok(ofBatch.every((task) => task.cron === ''))
    await first.close()

    const { app, ...view } = await open(browser, host, 'page=batch&name=Week%2012')
    const again = app.getByRole('region', { name: 'Cut-over' })
    await again.getByRole('checkbox', { name: /^Last delta/ }).waitFor()
    const ticked = async () =>
      Promise.all([/^Last delta/, /^End the schedules/, /^Done/].map((label) => again.getByRole('checkbox', { name: label }).isChecked()))
    assert.deepEqual(await ticked(), [true, true, false])
    await again.getByRole('checkbox', { name: /^Last delta/ }).uncheck()
    await until(() => platform.cutover.get('Week 12').last_delta === null, 'the step to come again')
    await view.close()
  }))

it('pauses a schedule and resumes it; it stays what it is', () =>
  withHost({ tasks: 5 }, async (host, platform) => {
    const { app, ...view } = await open(browser, host, 'page=tasks')
    const choose = async (item) => {
      await app.getByRole('button', { name: 'Actions for bruno.bianchi' }).click()
      await app.getByRole('menuitem', { name: item, exact: true }).click()
    }
    const task = platform.tasks.get('bruno.bianchi/t00001')
    await choose('Pause the schedule')
    await app.getByText('The schedule pauses.').waitFor()
    assert.deepEqual([task.on_hold, task.cron], [true, '5m'])
    await choose('Resume the schedule')
    await app.getByText('The schedule pauses.').waitFor({ state: 'detached' })
    assert.deepEqual([task.on_hold, task.cron], [false, '5m'])
    // A task without a schedule has none to pause.
    await app.getByRole('button', { name: 'Actions for anna.rossi' }).click()
    await app.getByRole('menuitem', { name: 'Verify' }).waitFor()
    assert.equal(await app.getByRole('menuitem', { name: 'Pause the schedule' }).count(), 0)
    await view.close()
  }))

it('puts the tasks of an import into a batch', () =>
  withHost({}, async (host, platform) => {
    const { app, ...view } = await open(browser, host, 'page=import')
    await app.getByLabel('Or paste the rows here').fill('localuser;login;password;host;port;security\nanna.rossi;a@x.it;secret;imap.x.it;993;ssl\n')
    await button(app, 'Use these rows').click()
    await app.getByLabel('Batch').fill('Pilot')
    await button(app, 'Import 1 row').click()
    await app.getByText('1 created').waitFor()
    // With the import itself, so that it holds even when the page is left.
    assert.equal(requestsOf(platform, 'import-tasks')[0].data.batch, 'Pilot')
    assert.equal([...platform.tasks.values()][0].batch, 'Pilot')
    assert.equal(count(platform, 'update-tasks'), 0)
    await button(app, 'Go to the tasks').click()
    await app.getByLabel('Batch', { exact: true }).selectOption('Pilot')
    await view.close()
  }))
