// SPDX-License-Identifier: GPL-3.0-or-later
// The list of tasks, on a stand-in for the actions; and the keyboard, which leads from there everywhere.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { launch, open } from './browser.mjs'
import { button, count, withHost } from './stage.mjs'

let browser

before(async () => {
  browser = await launch()
})
after(() => browser.close())

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
