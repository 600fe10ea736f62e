// SPDX-License-Identifier: GPL-3.0-or-later
// The page on a stand-in for the actions: every screen, and what real servers make hard to reach.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { checkAccessibility, DESKTOP, launch, open, PHONE, screenshot } from './browser.mjs'
import { button, count, fillTask, withHost } from './stage.mjs'

let browser

before(async () => {
  browser = await launch()
})
after(() => browser.close())

describe('every screen', () => {
  it('leads on while there is nothing yet', () =>
    withHost({ tasks: 0, configured: false }, async (host) => {
      const view = await open(browser, host, 'page=status')
      await button(view.app, 'Go to the settings').click()
      await view.app.getByLabel('Mail server').selectOption({ label: 'mail1 (mail.example.org)' })
      await button(view.app, 'Save').click()
      await view.app.getByText('The settings were saved.').waitFor()
      await button(view.app, 'Tasks').click()
      await view.app.getByText('No tasks yet').waitFor()
      await screenshot(view, 'tasks-empty-desktop')
      await checkAccessibility(view, 'the empty list')
      await view.close()
    }))
})

it('says what to do when the tasks cannot be read, and reads them when asked again', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    platform['list-tasks'] = () => {
      throw new Error('killed')
    }
    for (const [page, size] of [
      ['status', DESKTOP],
      ['tasks', PHONE],
    ]) {
      const view = await open(browser, host, `page=${page}`, { viewport: size })
      await view.app.getByText('The tasks could not be read').waitFor()
      await view.app
        .getByText(/try again/)
        .first()
        .waitFor()
      await view.settled()
      await screenshot(view, `${page}-error`)
      await checkAccessibility(view, `${page} without an answer`)
      if (page === 'tasks') {
        delete platform['list-tasks']
        await button(view.app, 'Refresh').click()
        await view.app.locator('tbody tr').first().waitFor()
      }
      await view.close()
    }
  }))

describe('languages', () => {
  for (const [lang, title] of Object.entries({ it: 'Attività', de: 'Aufgaben', fr: 'Tâches', es: 'Tareas' })) {
    it(`speaks ${lang}`, () =>
      withHost({ tasks: 30 }, async (host) => {
        const view = await open(browser, host, 'page=tasks', { lang })
        await view.settled()
        assert.equal(await view.app.locator('h1').innerText(), title)
        assert.equal(await view.app.locator('html').getAttribute('lang'), lang)
        assert.doesNotMatch(await view.app.locator('body').innerText(), /\b(tasks|state|common|field)\.\w/)
        await screenshot(view, `tasks-${lang}`)
        await view.close()
      }))
  }
  it('follows the language of the parent', () =>
    withHost({ tasks: 5 }, async (host) => {
      const view = await open(browser, host, 'page=tasks')
      await view.host("setLocale('de')")
      await view.app.getByRole('heading', { name: 'Aufgaben' }).waitFor()
      await view.close()
    }))
})

describe('the list of tasks', () => {
  it('keeps search, filters, order and page in the address, and gives them back', () =>
    withHost({ tasks: 60 }, async (host) => {
      const view = await open(browser, host, 'page=tasks')
      await view.settled()
      await view.app.getByLabel('Search').fill('rossi')
      await view.page.waitForFunction('location.hash.includes("q=rossi")')
      await view.app.getByLabel('State').selectOption('ok')
      await button(view.app, 'Last run').click()
      assert.match(await view.hash(), /q=rossi&state=ok&sort=last/)
      const shown = await view.app.locator('tbody tr').count()
      await view.page.reload()
      await view.settled()
      await view.app.locator('tbody tr').first().waitFor()
      assert.equal(await view.app.locator('tbody tr').count(), shown)
      assert.equal(await view.app.getByLabel('Search').inputValue(), 'rossi')
      await view.close()
    }))

  it('shows progress while it is made, and reads the list again when a run has ended', () =>
    withHost({ tasks: 2 }, async (host, platform) => {
      platform.runs.get('bruno.bianchi/t00001').pace = 14
      const view = await open(browser, host, 'page=tasks')
      await view.app.getByRole('progressbar').waitFor()
      await view.app.getByText(/folder \d+ of 11 · [\d,]+ of [\d,]+ messages · .* left/).waitFor()
      await view.app.getByRole('progressbar').waitFor({ state: 'detached' })
      await view.app
        .getByRole('row', { name: /bruno.bianchi/ })
        .getByText('Completed')
        .waitFor()
      assert.equal(count(platform, 'list-tasks'), 2)
      await view.close()
    }))

  it('handles two thousand tasks fluently, and stops them all in one call', () =>
    withHost({ tasks: 2000 }, async (host, platform) => {
      const view = await open(browser, host, 'page=tasks&size=200')
      await view.settled()
      await view.app.getByText('1–200 of 2,000').waitFor()
      const took = await view.frame().evaluate(async () => {
        const field = document.querySelector('input[type=search]')
        const started = performance.now()
        field.value = 'anna.rossi'
        field.dispatchEvent(new Event('input'))
        while (document.querySelectorAll('tbody tr').length === 200 && performance.now() - started < 5000) await new Promise(requestAnimationFrame)
        return performance.now() - started
      })
      assert.ok(took < 1500, `searching took ${took} ms`)
      await view.app.getByLabel('Search').fill('')
      await view.app.getByText('1–200 of 2,000').waitFor()
      await view.app.getByLabel('Select all tasks of this page').check()
      await button(view.app, 'Select all 2,000 tasks found').click()
      await button(view.app, 'Stop').click()
      await view.app.getByText(/[\d,]+ tasks stopped\. [\d,]+ were not running\./).waitFor()
      assert.equal(count(platform, 'stop-task'), 1)
      assert.equal(platform.runs.size, 0)
      await view.close()
    }))

  it('changes the schedule of many, and deletes them after asking', () =>
    withHost({ tasks: 30 }, async (host, platform) => {
      const view = await open(browser, host, 'page=tasks&q=rossi')
      await view.settled()
      await view.app.getByLabel('Select all tasks of this page').check()
      await view.app.getByRole('group', { name: 'Actions on the selected tasks' }).getByRole('button', { name: 'Schedule' }).click()
      const dialog = view.app.getByRole('dialog')
      assert.equal(await dialog.getByLabel('Schedule').inputValue(), '')
      await button(dialog, 'Save').click()
      await dialog.getByText('Choose a schedule.').waitFor()
      assert.equal(count(platform, 'update-tasks'), 0)
      await dialog.getByLabel('Schedule').selectOption('h')
      await dialog.getByLabel(/^Hours/).fill('25')
      await button(dialog, 'Save').click()
      await dialog.getByText(/^Choose 1 to 60 minutes, 1 to 24 hours/).waitFor()
      await dialog.getByLabel(/^Hours/).fill('6')
      await button(dialog, 'Save').click()
      await view.app.getByText(/tasks changed/).waitFor()
      assert.equal(
        [...platform.tasks.values()].filter((task) => task.cron === '6h').length,
        [...platform.tasks.values()].filter((task) => task.localuser.includes('rossi')).length,
      )
      await view.app.getByLabel('Select all tasks of this page').check()
      await button(view.app, 'Delete').click()
      const sure = view.app.getByRole('dialog')
      await button(sure, 'Delete').click()
      await sure.getByText(/^Type exactly: \d+$/).waitFor()
      assert.equal(count(platform, 'delete-task'), 0)
      await sure.getByLabel(/^Type \d+ to confirm$/).fill(/\d+/.exec(await sure.getByRole('heading').innerText())[0])
      await sure.getByText(/stored passwords go with them/).waitFor()
      await button(sure, 'Delete').click()
      await view.app.getByText('No task matches').waitFor()
      assert.ok(![...platform.tasks.values()].some((task) => task.localuser.includes('rossi')))
      await view.close()
    }))
})

describe('the form', () => {
  it('fills in what a provider demands, and the port follows the encryption until it is edited', () =>
    withHost({}, async (host) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      const port = app.getByLabel('Port', { exact: true })
      await app.getByLabel('Provider').selectOption('gmail')
      assert.equal(await app.getByLabel('Source server').inputValue(), 'imap.gmail.com')
      assert.equal(await port.inputValue(), '993')
      await app.getByText(/app password/).waitFor()
      await app.getByLabel('Encryption').selectOption('tls')
      assert.equal(await port.inputValue(), '143')
      await port.fill('1143')
      await app.getByLabel('Encryption').selectOption('ssl')
      assert.equal(await port.inputValue(), '1143')
      await view.close()
    }))

  it('refuses in words and sends nothing, and moves to the first faulty field', () =>
    withHost({}, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app, { 'Destination user': 'a*b', 'Source server': 'a b', Password: '' })
      await button(app, 'Save and start').click()
      await app.getByText('This is neither a host name nor an IP address.').waitFor()
      assert.equal(await app.locator(':focus').getAttribute('aria-invalid'), 'true')
      assert.equal(await app.locator('[aria-invalid=true]').count(), 3)
      assert.equal(count(platform, 'create-task'), 0)
      await view.close()
    }))

  it('shows a refusal of the module at its field, and keeps what was entered', () =>
    withHost({}, async (host) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app, { Password: 'wrong' })
      await button(app, 'Save').click()
      await app.getByText('The source server refuses this user name and password.').waitFor()
      assert.equal(await app.getByLabel('Password', { exact: true }).getAttribute('aria-invalid'), 'true')
      assert.equal(await app.getByLabel('Password', { exact: true }).inputValue(), 'wrong')
      await view.close()
    }))

  it('keeps its content when the module fails or the connection is lost', () =>
    withHost({}, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app, { 'Destination user': 'crash' })
      await button(app, 'Save').click()
      await app.getByText('The module could not do this.').waitFor()
      platform.offline = true
      await button(app, 'Save').click()
      await app.getByText('The cluster cannot be reached.').waitFor()
      assert.equal(await app.getByLabel('Source user name').inputValue(), 'anna@old.org')
      platform.offline = false
      await app.getByLabel('Destination user').fill('anna.rossi')
      await button(app, 'Save').click()
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      await view.close()
    }))

  it('keeps its content when no answer comes', () =>
    withHost({}, async (host, platform) => {
      platform['create-task'] = () => new Promise(() => {})
      const { app, page, ...view } = await open(browser, host, 'page=tasks&panel=new', { before: (page) => page.clock.install() })
      await fillTask(app)
      await button(app, 'Save').click()
      while (count(platform, 'create-task') === 0) await new Promise((resolve) => setTimeout(resolve, 50))
      await page.clock.runFor(130_000)
      await app.getByText('The module has not answered in time.').waitFor()
      assert.equal(await app.getByLabel('Password', { exact: true }).inputValue(), 'secret')
      await view.close()
    }))

  it('goes on after the token was renewed', () =>
    withHost({}, async (host, platform) => {
      const { app, page, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app)
      platform.tokens.clear()
      platform.tokens.add('renewed')
      await button(app, 'Save').click()
      await page.evaluate("localStorage.setItem('loginInfo', JSON.stringify({ username: 'admin', token: 'renewed' }))")
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      await view.close()
    }))

  it('tests the connection, and accepts a certificate that is not trusted', () =>
    withHost({}, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app, { 'Source server': 'nowhere.example.com' })
      await button(app, 'Test the connection').click()
      await app.getByText('The source server cannot be reached: check the host and the port.').waitFor()
      await app.getByLabel('Source server').fill('selfsigned.example.com')
      await button(app, 'Test the connection').click()
      await button(app, 'Trust this certificate').click()
      await app.getByText('The login works.').waitFor()
      await button(app, 'Save').click()
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      assert.match(platform.requests.find((request) => request.action === 'create-task').data.certificate, /^[0-9a-f]{64}$/)
      await view.close()
    }))

  it('has a destructive choice typed out', () =>
    withHost({}, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app)
      await app.getByLabel('Delete messages at the destination that are not at the source').check()
      await button(app, 'Save').click()
      await app.getByText('Type exactly: anna.rossi').waitFor()
      assert.equal(count(platform, 'create-task'), 0)
      await app.getByLabel('Type anna.rossi to confirm').fill('anna.rossi')
      await button(app, 'Save').click()
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      assert.equal(platform.requests.find((request) => request.action === 'create-task').data.delete_local, true)
      await view.close()
    }))

  it('leaves out folders by a click, and previews what a pattern hits', () =>
    withHost({}, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await fillTask(app)
      await app.getByLabel('All folders but some').check()
      await button(app, 'Show the source folders').click()
      await app.getByText('11 of 11 folders').waitFor()
      await app.getByLabel('Work/Acme, Inc.').uncheck()
      assert.equal(await app.getByLabel('Patterns of folders to leave out').inputValue(), '^Work/Acme\\x2c Inc\\.$')
      await app.getByLabel('Patterns of folders to leave out').fill('Archive')
      await app.getByText('8 of 11 folders').waitFor()
      assert.ok(await app.getByLabel('Archive/2023').isDisabled())
      await app.getByLabel('Patterns of folders to leave out').fill('(')
      await button(app, 'Save').click()
      await app.getByText('One of the patterns is not a valid expression').waitFor()
      assert.equal(count(platform, 'create-task'), 0)
      await view.close()
    }))

  it('asks before it throws changes away: on cancel, on Escape, on the back button', () =>
    withHost({ tasks: 3 }, async (host) => {
      const { app, page, hash, ...view } = await open(browser, host, 'page=tasks')
      await view.settled()
      await button(app, 'Create a task').click()
      await fillTask(app)
      const question = app.getByText('Discard your changes?')
      for (const leave of [() => button(app, 'Cancel').click(), () => page.keyboard.press('Escape'), () => page.goBack()]) {
        await leave()
        await question.waitFor()
        await button(app, 'Keep editing').click()
        assert.equal(await app.getByLabel('Source user name').inputValue(), 'anna@old.org')
        assert.match(await hash(), /panel=new/)
      }
      await button(app, 'Cancel').click()
      await button(app, 'Discard').click()
      await app.getByRole('dialog').waitFor({ state: 'detached' })
      await view.close()
    }))
})

it('can be driven by the keyboard alone, and gives the focus back', () =>
  withHost({ tasks: 3 }, async (host) => {
    const { app, page, ...view } = await open(browser, host, 'page=tasks')
    await view.settled()
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key)
    }
    await button(app, 'Create a task').focus()
    await press('Enter')
    await app.getByRole('dialog').waitFor()
    for (let step = 0; step < 40; step++) {
      await press('Tab')
      // Between the last field and the first one the focus is with the browser itself.
      const inside = await view.frame().evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null)
      assert.ok(inside, `the focus left the panel after ${step + 1} steps`)
    }
    await press('Escape')
    await app.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal(await app.locator(':focus').innerText(), 'Create a task')

    await app
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .focus()
    await press('Enter')
    await app.getByRole('menuitem', { name: 'Edit' }).and(app.locator(':focus')).waitFor()
    await press('ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowUp')
    assert.equal(await app.locator(':focus').innerText(), 'Edit')
    await press('End')
    assert.equal(await app.locator(':focus').innerText(), 'Delete')
    await press('Escape')
    assert.match(await app.locator(':focus').getAttribute('aria-label'), /^Actions for/)
    await press('Enter')
    await app.getByRole('menuitem', { name: 'Edit' }).and(app.locator(':focus')).waitFor()
    await press('End', 'Enter')
    await app.getByRole('heading', { name: 'Delete 1 task?' }).waitFor()
    await press('Escape')
    await app.getByRole('dialog').waitFor({ state: 'detached' })
    await view.close()
  }))

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

describe('the parent', () => {
  it('keeps no listener and no task of an hour of polling', () =>
    withHost({ tasks: 12, delay: 1 }, async (host, platform) => {
      for (const run of platform.runs.values()) run.pace = 1e9
      const view = await open(browser, host, 'page=tasks', { before: (page) => page.clock.install() })
      await view.settled()
      const wanted = 900
      while (count(platform, 'get-progress') < wanted) {
        const before = count(platform, 'get-progress')
        await view.page.clock.runFor(4_000)
        const deadline = Date.now() + 30_000
        while (count(platform, 'get-progress') === before) {
          assert.ok(Date.now() < deadline, 'the polling stopped')
          await view.page.clock.runFor(1_000)
        }
        // The answer has to be back before the clock goes on.
        await view.page.waitForFunction('window.host.listeners().length === 0')
      }
      await view.page.clock.runFor(2_000)
      assert.deepEqual(await view.host('tasks().map((task) => task.context.action)'), [])
      assert.deepEqual(await view.host('listeners()'), [])
      await view.close()
    }))

  it('is left clean when the page goes', () =>
    withHost({ tasks: 12, delay: 300 }, async (host) => {
      const view = await open(browser, host, 'page=status')
      await view.page.waitForFunction('window.host.listeners().length > 0')
      assert.equal(await view.host('hooks()'), 1)
      await view.page.evaluate("document.querySelector('iframe').remove()")
      assert.deepEqual(await view.host('listeners()'), [])
      assert.equal(await view.host('hooks()'), 0)
      await view.close()
    }))

  it('brings the result even when its event was lost', () =>
    withHost({ tasks: 3 }, async (host, platform) => {
      const view = await open(browser, host, 'page=settings')
      await view.settled()
      platform.say = () => {}
      await view.app.getByRole('link', { name: 'Tasks' }).click()
      await view.app.locator('tbody tr').first().waitFor({ timeout: 25_000 })
      await view.close()
    }))

  it('takes the back button, the title and the keyboard shortcuts', () =>
    withHost({ tasks: 3 }, async (host) => {
      const { app, page, ...view } = await open(browser, host, 'page=status')
      assert.ok((await view.host('emitted()')).includes('configureKeyboardShortcuts'))
      await app.getByRole('link', { name: 'Settings' }).first().click()
      await app.getByRole('heading', { name: 'Settings' }).waitFor()
      assert.equal(await page.title(), 'Settings - imapsync - NethServer')
      await page.goBack()
      await app.getByRole('heading', { name: 'Status' }).waitFor()
      await view.close()
    }))
})
