// SPDX-License-Identifier: GPL-3.0-or-later
// A browser on the test host, and what the suites do with it.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const DESKTOP = { width: 1366, height: 850 }
export const PHONE = { width: 390, height: 800 }

const SCREENSHOTS = fileURLToPath(new URL('../../artifacts/ui/', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** Opens the page at a place; `app` is what is inside the frame. Errors of the page fail the test. */
export async function open(browser, host, place, { viewport = DESKTOP, lang = 'en', timezoneId, before, ignoreHTTPSErrors = false } = {}) {
  const page = await browser.newPage({ viewport, timezoneId, acceptDownloads: true, ignoreHTTPSErrors })
  page.setDefaultTimeout(30_000)
  const problems = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    // What the test itself causes (a refused request) is told apart by its own assertions.
    if (message.type() === 'error' && !message.text().includes('Failed to load resource')) problems.push(message.text())
  })
  await before?.(page)
  await page.goto(`${host.url}?lang=${lang}#/apps/imapsync1?${place}`)
  const app = page.frameLocator('#app-frame')
  await app.locator('h1').waitFor()
  return {
    page,
    app,
    /** Everything that was asked for has been answered. */
    settled: () => app.locator('.isy-loading, [aria-busy=true]').first().waitFor({ state: 'detached' }),
    frame: () => page.frame({ url: /index\.html/ }),
    host: (expression) => page.evaluate(`window.host.${expression}`),
    hash: () => page.evaluate('location.hash'),
    async close() {
      await page.close()
      assert.deepEqual(problems, [])
    },
  }
}

/** No finding of axe, anywhere in the page. */
export async function checkAccessibility(view, name) {
  const frame = view.frame()
  // Colours on their way to others are no one's to read.
  await frame.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter((one) => one instanceof CSSTransition)
        .map((one) => one.finished),
    ),
  )
  await frame.evaluate(axe)
  const { violations } = await frame.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  )
  const grave = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`)
  assert.deepEqual(grave, [], `axe on ${name}`)
}

const WALKTHROUGH = process.env.WALKTHROUGH
/** What is looked at in the documentation is smaller. */
export const WALKED = WALKTHROUGH ? { width: 1024, height: 720 } : DESKTOP

/** A step that the documentation shows; `npm run walkthrough` makes its pictures. */
export async function step(page, name) {
  if (!WALKTHROUGH) return
  mkdirSync(WALKTHROUGH, { recursive: true })
  await page.screenshot({ path: `${WALKTHROUGH}/${name}.png`, animations: 'disabled', caret: 'hide' })
}

export async function screenshot(view, name) {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await view.page.screenshot({ path: `${SCREENSHOTS}${name}.png` })
}

/** Nothing sticks out at the side of the page. */
export async function checkWidth(view, name) {
  const { wanted, available } = await view.frame().evaluate(() => ({
    wanted: document.documentElement.scrollWidth,
    available: document.documentElement.clientWidth,
  }))
  assert.ok(wanted <= available, `${name} is ${wanted} wide where there is room for ${available}`)
}
