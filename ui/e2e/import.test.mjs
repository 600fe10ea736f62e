// SPDX-License-Identifier: GPL-3.0-or-later
// Import and export, on a stand-in for the actions.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { launch, open } from './browser.mjs'
import { button, count, withHost } from './stage.mjs'

let browser

before(async () => {
  browser = await launch()
})
after(() => browser.close())

describe('import', () => {
  it('takes what is good in one call, and hands the rest back as a file', () =>
    withHost({ tasks: 0 }, async (host, platform) => {
      const { app, page, ...view } = await open(browser, host, 'page=import')
      await view.settled()
      const rows = platform.users
        .slice(0, 50)
        .map((user, at) => `${user};${user}@old.org;${at === 9 ? 'wrong' : 'secret'};imap.example.com;${at === 19 ? 0 : 993};ssl`)
      rows[29] = 'short;row'
      const text = `\ufeffLocal user;Login;Password;Host;Port;Security\r\n${rows.join('\r\n')}\r\n`
      await app.locator('input[type=file]').setInputFiles({ name: 'users.csv', mimeType: 'text/csv', buffer: Buffer.from(text) })
      await app.getByText('48 rows can be imported. 2 rows cannot.').waitFor()
      await button(app, 'Check the logins').click()
      await app.getByRole('progressbar').waitFor()
      await button(app, 'Download 3 faulty rows').waitFor()
      assert.equal(platform.tasks.size, 0)
      await app.getByText('47 rows can be imported. 3 rows cannot.').waitFor()
      await button(app, 'Import 47 rows').click()
      await app.getByText('47 created').waitFor()
      assert.equal(platform.tasks.size, 47)
      assert.equal(count(platform, 'import-tasks'), 2)
      const [download] = await Promise.all([page.waitForEvent('download'), button(app, 'Download 3 faulty rows').click()])
      const failures = await readFile(await download.path(), 'utf8')
      assert.equal(failures.trim().split('\r\n').length, 4)
      assert.match(failures, /;wrong;.*Password: The source server refuses/)
      await view.close()
    }))

  it('needs an address and a password, and has faulty rows mended', () =>
    withHost({ tasks: 0 }, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=import')
      await view.settled()
      await app.getByLabel('Or paste the rows here').fill('E-Mail-Adresse;Passwort\nanna.rossi@old.org;"secret\n\nnobody@old.org;secret\n')
      await button(app, 'Use these rows').click()
      await app.getByLabel('Source server', { exact: true }).fill('imap.example.com')
      await app.getByText('1 row can be imported. 1 row cannot.').waitFor()
      await button(app, 'Mend line 4').click()
      await app.getByLabel('Destination user', { exact: true }).fill('bruno.bianchi')
      await app.getByText('2 rows can be imported.').waitFor()
      await button(app, 'Import 2 rows').click()
      await app.getByText('1 created, 1 refused').waitFor()
      assert.deepEqual(
        [...platform.tasks.keys()].map((key) => key.split('/')[0]),
        ['bruno.bianchi'],
      )
      await view.close()
    }))

  it('marks, counts and has confirmed what deletes mail', () =>
    withHost({ tasks: 0 }, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=import')
      await view.settled()
      await app
        .getByLabel('Or paste the rows here')
        .fill(
          'localuser;login;password;host;port;security;delete_remote\nanna.rossi;a@x;secret;imap.x.it;993;SSL/TLS;WAHR\nbruno.bianchi;b@x;secret;imap.x.it;993;ssl;\n',
        )
      await button(app, 'Use these rows').click()
      await app.getByText('1 row deletes mail').waitFor()
      await app.getByText('deletes mail', { exact: true }).waitFor()
      assert.ok(await button(app, 'Import 2 rows').isDisabled())
      await app.getByLabel('Type 1 to confirm').fill('1')
      await button(app, 'Import 2 rows').click()
      await app.getByText('2 created').waitFor()
      assert.equal(platform.tasks.size, 2)
      await view.close()
    }))

  it('asks before it is left while the module works', () =>
    withHost({ tasks: 0, delay: 400 }, async (host) => {
      const { app, ...view } = await open(browser, host, 'page=import')
      await view.settled()
      await app.getByLabel('Or paste the rows here').fill(`login;password;host\n${'anna.rossi@x;secret;imap.x\n'.repeat(1)}`)
      await button(app, 'Use these rows').click()
      await button(app, 'Import 1 row').click()
      await app.getByRole('link', { name: 'Settings' }).click()
      await app.getByText('Leave while the import is under way?').waitFor()
      await button(app, 'Stay').click()
      await app.getByText('1 created').waitFor()
      await view.close()
    }))

  it('exports the tasks without passwords', () =>
    withHost({ tasks: 5 }, async (host) => {
      const { app, page, ...view } = await open(browser, host, 'page=import')
      await view.settled()
      const [download] = await Promise.all([page.waitForEvent('download'), button(app, 'Export the tasks').click()])
      const text = await readFile(await download.path(), 'utf8')
      assert.equal(text.trim().split('\r\n').length, 6)
      assert.match(text, /^\ufefflocalusername,remoteusername,remotepassword,/)
      await view.close()
    }))

  it('says what is wrong with a file that is no table', () =>
    withHost({}, async (host) => {
      const { app, ...view } = await open(browser, host, 'page=import')
      const give = (buffer) => app.locator('input[type=file]').setInputFiles({ name: 'x.xlsx', mimeType: 'text/csv', buffer })
      await give(Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 8]))
      await app.getByText('This is not a text file.').waitFor()
      await view.close()
    }))
})
