// SPDX-License-Identifier: GPL-3.0-or-later
// The form of a task, on a stand-in for the actions.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { launch, open } from './browser.mjs'
import { button, count, fillTask, withHost } from './stage.mjs'

let browser

before(async () => {
  browser = await launch()
})
after(() => browser.close())

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
