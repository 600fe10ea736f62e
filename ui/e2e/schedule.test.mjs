// SPDX-License-Identifier: GPL-3.0-or-later
// Schedules as people in another time zone than the server's choose and read them, on a stand-in for the actions.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { checkAccessibility, launch, open } from './browser.mjs'
import { button, withHost } from './stage.mjs'

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const panel = 'page=tasks&panel=edit&user=anna.rossi&task=t00000'
/** Five and a half hours ahead of the server, all year. */
const timezoneId = 'Asia/Kolkata'
const uncheck = async (dialog, ...days) => {
  for (const day of days) await dialog.getByLabel(day, { exact: true }).uncheck()
}

it('takes a time of day on some days in the clock of the one who chooses it', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    const { app, ...view } = await open(browser, host, panel, { timezoneId })
    const dialog = app.getByRole('dialog')
    await dialog.getByLabel('Schedule').selectOption('time')
    await dialog.getByLabel('Time of day').fill('02:15')
    await uncheck(dialog, 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
    // Monday at 2:15 there is Sunday at 20:45 UTC.
    await dialog.getByText(/^Next runs: Mon,? 2:15\sAM, Mon,? 2:15\sAM/).waitFor()
    await dialog.getByText(/The server goes by UTC/).waitFor()
    await checkAccessibility({ app, ...view }, 'a schedule')
    await button(app, 'Save').click()
    await app.getByText('The task of anna.rossi was saved.').waitFor()
    assert.equal(platform.tasks.get('anna.rossi/t00000').cron, '20:45@sun')
    await app
      .getByRole('row')
      .getByText(/^At 2:15\sAM · Mon$/)
      .waitFor()
    await view.close()

    // The form shows again what was chosen.
    const again = await open(browser, host, panel, { timezoneId })
    const shown = again.app.getByRole('dialog')
    assert.equal(await shown.getByLabel('Time of day').inputValue(), '02:15')
    assert.deepEqual([await shown.getByLabel('Mon', { exact: true }).isChecked(), await shown.getByLabel('Sun', { exact: true }).isChecked()], [true, false])
    await again.close()
  }))

it('offers a night, shows the real times, and refuses a week without days', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    const { app, ...view } = await open(browser, host, panel, { timezoneId: 'UTC' })
    const dialog = app.getByRole('dialog')
    await dialog.getByLabel('Schedule').selectOption('h')
    assert.equal(await dialog.getByLabel(/^Hours/).inputValue(), '1')
    await dialog.getByText(/^Next runs: \d+:01/).waitFor()
    await dialog.getByLabel(/^Hours/).fill('3')
    await dialog.getByLabel('From').selectOption('22')
    assert.equal(await dialog.getByLabel('Until').inputValue(), '6')
    const times = await dialog.getByText(/^Next runs/).innerText()
    for (const time of ['10:01', '1:01', '4:01']) assert.ok(times.includes(time), times)
    await uncheck(dialog, 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
    await button(app, 'Save').click()
    await dialog
      .getByText(/one day at least/)
      .first()
      .waitFor()
    await dialog.getByLabel('Fri', { exact: true }).check()
    await button(app, 'Save').click()
    await app.getByText('The task of anna.rossi was saved.').waitFor()
    assert.equal(platform.tasks.get('anna.rossi/t00000').cron, '3h@22-6@fri')
    await view.close()
  }))
