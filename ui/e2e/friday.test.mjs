// SPDX-License-Identifier: GPL-3.0-or-later
// A migration from the first row to the report, on the real actions and real mail: a table of Excel with seven faults, an
// assessment, the copy, a source that fails in the middle of it, the rest, a delta, the comparison, the report.
// FRIDAY_MAILBOXES says how many mailboxes move.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, it } from 'node:test'
import { launch, open, screenshot } from './browser.mjs'
import { Gate } from './host/gate.mjs'
import { SandboxNode } from './host/sandbox.mjs'
import { serve } from './host/server.mjs'
import { button, until } from './stage.mjs'

const MAILBOXES = Number(process.env.FRIDAY_MAILBOXES ?? 24)
const MESSAGES = 40
const PASSWORD = 'Pw-friday 1!'
const FAULTS = 7
/** More would be work. */
const MOST_CLICKS = 60
/** Octets that the second source brings in a second while it is to fail. */
const SLOW = 150_000
/** The whole night; each wait ends as soon as there is what it waits for. */
const LONG = 600_000 + MAILBOXES * 6_000
/** So many mailboxes are counted on the servers themselves. */
const COUNTED = 12

const users = Array.from({ length: MAILBOXES }, (_, at) => `friday${String(at).padStart(3, '0')}`)
const remote = (user) => `${user}@old.example.com`

let browser, host, node, gate
before(async () => {
  browser = await launch()
  node = await SandboxNode.start()
  host = await serve(node)
  gate = await Gate.open(node.info.remote)
  await node.addUsers('local', PASSWORD, ...users)
  await node.addUsers('remote', PASSWORD, ...users.map(remote))
  for (const [at, user] of users.entries()) await node.deliver('remote', remote(user), MESSAGES, at)
})
after(async () => {
  await host?.close()
  await gate?.shut()
  await browser?.close()
})

/** What Excel saves as CSV where commas are in numbers. */
function table() {
  const sources = [node.info.remote, gate]
  const rows = users.map((user, at) => [user, remote(user), PASSWORD, sources[at % 2].host, sources[at % 2].port, 'STARTTLS'])
  const [first] = rows
  const fault = (...changes) => changes.reduce((row, [at, value]) => row.with(at, value), first)
  rows.splice(
    5,
    0,
    fault([1, 'wrong@old.example.com'], [2, 'not this one']),
    fault([1, 'b@old.example.com'], [4, '70000']),
    fault([1, 'c@old.example.com'], [0, 'no.such.user']),
    fault([1, 'd@old.example.com'], [2, '']),
    fault([1, 'e@old.example.com'], [3, 'imap old']),
    fault([1, 'f@old.example.com'], [0, 'two words']),
  )
  rows.push(first)
  const head = ['Benutzer', 'Login', 'Passwort', 'Server', 'Port', 'SSL/TLS']
  const quoted = (cell) => (/[;" ]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : cell)
  return Buffer.from(`\ufeff${[head, ...rows].map((row) => row.map(quoted).join(';')).join('\r\n')}\r\n`)
}

const messages = (mailbox) => Object.values(mailbox).reduce((sum, folder) => sum + folder.length, 0)

it(`moves ${MAILBOXES} mailboxes in a night, with few clicks`, { timeout: LONG }, async (test) => {
  let clicks = 0
  const view = await open(browser, host, 'page=import', {
    before: async (page) => {
      page.setDefaultTimeout(LONG)
      await page.exposeFunction('clicked', () => clicks++)
      await page.addInitScript(() => addEventListener('pointerdown', (event) => event.isTrusted && window.clicked(), true))
    },
  })
  const { app, page } = view
  await view.settled()

  // The table: what is wrong with it is seen before anything is stored, two of the faults by the browser alone.
  const chooser = page.waitForEvent('filechooser')
  await app.getByText('Choose a file').click()
  await (await chooser).setFiles({ name: 'umzug.csv', mimeType: 'text/csv', buffer: table() })
  await button(app, 'Check the logins').click()
  await app.getByText(`${MAILBOXES} rows can be imported. ${FAULTS} rows cannot.`).waitFor()
  const faults = page.waitForEvent('download')
  await button(app, `Download ${FAULTS} faulty rows`).click()
  const told = await readFile(await (await faults).path(), 'utf8')
  assert.equal(told.trim().split('\n').length, FAULTS + 1, told)
  await app.getByLabel('Batch').fill('Friday')
  await app.getByLabel(/^Start the tasks/).uncheck()
  await button(app, `Import ${MAILBOXES} rows`).click()
  await app.getByText(`${MAILBOXES} created`).waitFor()
  await button(app, 'Go to the tasks').click()
  await app.getByLabel('Batch', { exact: true }).selectOption('Friday')
  await app.getByRole('link', { name: 'Open the batch' }).click()

  // The assessment.
  const assess = app.getByRole('region', { name: 'Assess', exact: true })
  await button(assess, `Assess ${MAILBOXES} mailboxes`).click()
  await assess.getByText(/^Finished/).waitFor()
  await assess.getByText(`${MAILBOXES} can be moved, 0 worth a look, 0 cannot be moved`).waitFor()

  // The copy; in its middle the second source fails.
  const summary = app.getByRole('region', { name: 'The batch Friday' })
  const standing = async () => (await node.perform({ action: 'list-tasks', data: {} })).user_properties
  gate.pace = SLOW
  await button(summary, `Start ${MAILBOXES} tasks`).click()
  await until(async () => gate.sockets.size > 0 && (await standing()).some((task) => task.last_sync_exit_code === 0), 'the first mailbox')
  gate.cut()
  await until(async () => (await standing()).every((task) => task.state === 'idle' && task.last_sync_exit_code !== null), 'the end of all runs', LONG)
  const failed = (await standing()).filter((task) => task.last_sync_exit_code !== 0)
  assert.ok(failed.length > 0 && failed.every((task) => task.remoteport === String(gate.port)), JSON.stringify(failed, null, 1))
  await screenshot(view, 'friday-failed')

  // The source is there again.
  Object.assign(gate, { closed: false, pace: 0 })
  const retry = summary.getByRole('button', { name: `Retry ${failed.length === 1 ? 'this one' : `these ${failed.length}`}` })
  await retry.click()
  const complete = summary.getByText(new RegExp(`^${MAILBOXES} of ${MAILBOXES} tasks complete`))
  await complete.waitFor()

  // What came meanwhile.
  const late = users.slice(0, 3)
  for (const user of late) await node.deliver('remote', remote(user), 5, 1000)
  const cutover = app.getByRole('region', { name: 'Cut-over' })
  const before = Math.floor(Date.now() / 1000)
  await cutover.getByRole('button', { name: /^Last delta/ }).click()
  await until(async () => (await standing()).every((task) => task.state === 'idle' && task.last_sync_timestamp >= before), 'the delta', LONG)
  await cutover.getByRole('checkbox', { name: /^Last delta/ }).check()

  // The comparison and the report.
  const verify = app.getByRole('region', { name: 'Verify all' })
  await button(verify, `Verify ${MAILBOXES} mailboxes`).click()
  await verify.getByText(`${MAILBOXES} agree, 0 differ, 0 could not be compared`).waitFor()
  await until(async () => (await verify.locator('tbody tr').count()) === MAILBOXES, 'the report')
  const download = page.waitForEvent('download')
  await button(verify, 'Save as CSV').click()
  const report = await readFile(await (await download).path(), 'utf8')
  assert.equal(report.trim().split('\n').length, MAILBOXES + 1)
  for (const user of users) assert.match(report, new RegExp(`^"?${user}\\b.*agree`, 'm'))
  await cutover.getByRole('checkbox', { name: /^Verify/ }).check()
  await cutover.getByRole('checkbox', { name: /^Done/ }).check()
  await until(async () => (await node.perform({ action: 'get-batch', data: { batch: 'Friday' } })).cutover.done !== null, 'the last step')
  await screenshot(view, 'friday-done')

  // The servers say the same.
  for (const user of users.slice(0, COUNTED)) {
    const [there, here] = [messages(await node.mailbox('remote', remote(user))), messages(await node.mailbox('local', user))]
    assert.equal(here, there, user)
    assert.equal(here, MESSAGES + (late.includes(user) ? 5 : 0), user)
  }
  test.diagnostic(`${clicks} clicks`)
  assert.ok(clicks > 10 && clicks < MOST_CLICKS, `${clicks} clicks`)
  await view.close()
})
