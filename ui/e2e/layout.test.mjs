// SPDX-License-Identifier: GPL-3.0-or-later
// Every screen at every width: nothing sticks out, nothing is out of reach, axe finds nothing.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { checkAccessibility, checkWidth, launch, open, screenshot } from './browser.mjs'
import { SCREENS } from './screens.mjs'
import { button, withHost } from './stage.mjs'

const SIZES = {
  phone: { width: 360, height: 740 },
  tablet: { width: 820, height: 1180 },
  desktop: { width: 1280, height: 850 },
  wide: { width: 1920, height: 1080 },
  // A window of 1280 at 200 %.
  zoomed: { width: 640, height: 425 },
}
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

describe('every screen', () => {
  for (const [size, viewport] of Object.entries(SIZES)) {
    it(`is accessible and fits, ${size}`, () =>
      withHost({ tasks: 60, sources: true, batch: 'Autumn' }, async (host) => {
        for (const [name, [place, act]] of Object.entries(SCREENS)) {
          const view = await open(browser, host, place, { viewport })
          await view.settled()
          await act?.(view.app)
          await view.settled()
          await screenshot(view, `${name}-${size}`)
          await checkAccessibility(view, `${name}, ${size}`)
          await checkWidth(view, `${name}, ${size}`)
          await view.close()
        }
      }))
  }
})

describe('the list of tasks', () => {
  for (const width of [360, 673, 820, 1024, 1260, 1280, 1366, 1920]) {
    it(`has the menu of each row within reach at ${width} px`, () =>
      withHost({ tasks: 30 }, async (host) => {
        const view = await open(browser, host, 'page=tasks', { viewport: { width, height: 800 } })
        await view.settled()
        await checkWidth(view, `the list at ${width}`)
        const box = await view.app
          .getByRole('button', { name: /^Actions for/ })
          .first()
          .boundingBox()
        assert.ok(box.x >= 0 && box.x + box.width <= width, `the menu is at ${box.x}`)
        for (const label of ['Next run', 'Messages']) assert.ok(await view.app.locator(`[data-label="${label}"]`).first().isVisible(), label)
        await view.close()
      }))
  }

  it('keeps its head, the menu of pages and the bar for many in sight', () =>
    withHost({ tasks: 60 }, async (host) => {
      for (const size of ['desktop', 'phone']) {
        const viewport = SIZES[size]
        const view = await open(browser, host, 'page=tasks&size=50', { viewport })
        await view.settled()
        await view.app.locator('tbody input[type=checkbox]').first().check()
        await view.frame().evaluate(() => scrollTo(0, 1500))
        const inSight = async (locator, what) => {
          const box = await locator.boundingBox()
          assert.ok(box && box.y >= 0 && box.y + box.height <= viewport.height, `${what} is out of sight, ${size}`)
        }
        await inSight(view.app.getByRole('link', { name: 'Status' }), 'the menu')
        await inSight(view.app.getByText('1 task selected'), 'the bar')
        if (size === 'desktop') await inSight(button(view.app, 'Last run'), 'the head')
        await screenshot(view, `tasks-scrolled-${size}`)
        await view.close()
      }
    }))

  it('gives the focus to what was said when the buttons are gone', () =>
    withHost({ tasks: 5 }, async (host) => {
      const view = await open(browser, host, 'page=tasks')
      await view.settled()
      await view.app.getByLabel('Select all tasks of this page').check()
      await button(view.app, 'Start').click()
      await view.app.getByText(/started\./).waitFor()
      await view.frame().waitForFunction(() => document.activeElement?.textContent.includes('started.') && document.activeElement !== document.body)
      await view.close()
    }))
})

it('keeps Tab inside a dialog', () =>
  withHost({ tasks: 3 }, async (host) => {
    const view = await open(browser, host, 'page=tasks&panel=new')
    await view.app.getByRole('dialog').waitFor()
    for (const key of ['Tab', 'Shift+Tab']) {
      for (let step = 0; step < 40; step++) {
        await view.page.keyboard.press(key)
        assert.ok(await view.frame().evaluate(() => document.activeElement.closest('dialog') !== null), `${key} left it after ${step + 1} steps`)
      }
    }
    await view.close()
  }))
