// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of many tasks that are found again after the page was left, on a stand-in for the actions.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { checkAccessibility, launch, open } from './browser.mjs'
import { button, until, withHost } from './stage.mjs'

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const ROWS = 60
const csv = (users) =>
  ['localuser;login;password;host;port;security', ...users.slice(0, ROWS).map((user) => `${user};${user}@x.it;secret;imap.x.it;993;ssl`)].join('\n')

it('finds an import again after a reload, stops it, and tells what became of it', () =>
  withHost({}, async (host, platform) => {
    platform.rowPace = 300
    const { app, page, ...view } = await open(browser, host, 'page=import')
    await app.getByLabel('Or paste the rows here').fill(csv(platform.users))
    await button(app, 'Use these rows').click()
    await app.getByRole('button', { name: /^Import \d+ rows$/ }).click()
    await until(() => platform.bulkJobs.get('import')?.done > 2, 'the first rows')
    await page.reload()

    const section = app.getByRole('region', { name: 'Import', exact: true })
    await section.getByText(/^Import · \d+ of \d+ tasks$/).waitFor()
    await checkAccessibility({ app, page, ...view }, 'an import that goes on')
    await button(section, 'Stop').click()
    await until(() => platform.bulkJobs.get('import').stop, 'the stop')
    platform.rowPace = 1
    await section.getByText(/it was stopped; what was done stays/).waitFor()
    await section.getByText(/^\d+ tasks? created\./).waitFor()
    await section.getByText(/This was not tried any more/).waitFor()
    assert.ok(platform.tasks.size > 0 && platform.tasks.size < ROWS)
    await button(section, 'Dismiss').click()
    await section.waitFor({ state: 'detached' })
    await view.close()
  }))
