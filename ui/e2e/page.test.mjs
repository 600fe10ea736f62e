// SPDX-License-Identifier: GPL-3.0-or-later
// The page on a stand-in for the actions: what it does while there is nothing or no answer, its languages, its parent.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { checkAccessibility, DESKTOP, launch, open, PHONE, screenshot } from './browser.mjs'
import { button, count, withHost } from './stage.mjs'

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
