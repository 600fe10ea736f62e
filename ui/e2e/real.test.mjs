// SPDX-License-Identifier: GPL-3.0-or-later
// The page on the real actions, moving real mail between two mail servers of the sandbox.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, it } from 'node:test'
import { checkAccessibility, checkWidth, DESKTOP, launch, open, PHONE, screenshot } from './browser.mjs'
import { Gate } from './host/gate.mjs'
import { SandboxNode } from './host/sandbox.mjs'
import { serve } from './host/server.mjs'

const MESSAGES = 300
const REMOTE = 'r1@example.com'
const PASSWORD = 'Pw-r1!'

/** Slow enough for a run to be watched. */
const SLOW = 400_000

let browser, host, node, gate
let view

before(async () => {
  browser = await launch()
  node = await SandboxNode.start('--unconfigured', '--messages', String(MESSAGES))
  host = await serve(node)
  gate = await Gate.open(node.info.remote)
})
after(async () => {
  await host?.close()
  await gate?.shut()
  await browser.close()
})
beforeEach(() => {
  node.requests.length = 0
})
// A page that a failed test left open would go on asking.
afterEach(() => view?.page.close())

const button = (app, name) => app.getByRole('button', { name, exact: true })
const row = (user) => view.app.getByRole('row', { name: new RegExp(`Select the task of ${user} `) })
const messages = (mailbox) => Object.values(mailbox).reduce((sum, folder) => sum + folder.length, 0)

async function goTo(place, options) {
  view = await open(browser, host, place, options)
  await view.settled()
}
async function choose(user, item) {
  await row(user)
    .getByRole('button', { name: /^Actions for/ })
    .click()
  await view.app.getByRole('menuitem', { name: item, exact: true }).click()
}
/** Saves a task of a server that is not known yet. */
async function saveAndStart() {
  await button(view.app, 'Save and start').click()
  await button(view.app, 'Trust this certificate').click()
}
async function fillTask(user, remote, password, server = node.info.remote) {
  const { app } = view
  await app.getByLabel('Destination user').fill(user)
  await app.getByLabel('Source server').fill(server.host)
  await app.getByLabel('Encryption').selectOption('tls')
  await app.getByLabel('Port', { exact: true }).fill(String(server.port))
  await app.getByLabel('Source user name').fill(remote)
  await app.getByLabel('Password', { exact: true }).fill(password)
}

it('is configured', async () => {
  await goTo('page=status')
  await button(view.app, 'Go to the settings').click()
  await view.app.getByLabel('Mail server').selectOption({ index: 1 })
  await button(view.app, 'Save').click()
  await view.app.getByText('The settings were saved.').waitFor()
  await screenshot(view, 'real-settings')
  await view.close()
})

it('tells a wrong password from a right one before anything is stored', async () => {
  await goTo('page=tasks&panel=new')
  await fillTask('u1', REMOTE, 'wrong')
  await button(view.app, 'Test the connection').click()
  // The sandbox's server has no certificate of an authority: no one logs in before it is accepted.
  await button(view.app, 'Trust this certificate').click()
  await view.app.getByText('The source server refuses this user name and password.').waitFor()
  await view.app.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await button(view.app, 'Test the connection').click()
  await view.app.getByText('The login works.').waitFor()
  await view.app.getByText('The mailbox can be opened.').waitFor()
  await screenshot(view, 'real-connection')
  await checkAccessibility(view, 'the test of a connection')
  await view.page.close()
})

it('refuses a wrong password at its field', async () => {
  await goTo('page=tasks&panel=new')
  await fillTask('u1', REMOTE, 'wrong')
  await button(view.app, 'Save').click()
  await button(view.app, 'Trust this certificate').click()
  await view.app.getByText('The source server refuses this user name and password.').waitFor()
  assert.equal(await view.app.getByLabel('Password', { exact: true }).getAttribute('aria-invalid'), 'true')
  await view.page.close()
})

it('creates a task, shows its progress, and every message arrives', async () => {
  await goTo('page=tasks&panel=new')
  await fillTask('u1', REMOTE, PASSWORD)
  await saveAndStart()
  await view.app.getByText('The task of u1 was saved and started.').waitFor()
  await row('u1').getByText('Completed').waitFor({ timeout: 90_000 })
  assert.equal(messages(await node.mailbox('local', 'u1')), messages(await node.mailbox('remote', REMOTE)))
  await screenshot(view, 'real-tasks')
  await checkAccessibility(view, 'the real list')
  await view.close()
})

it('shows the log', async () => {
  await goTo('page=tasks')
  await choose('u1', 'Log')
  await view.app.getByText(/Exiting with return value 0/).waitFor()
  await screenshot(view, 'real-log')
  await view.close()
})

it('shows what the last runs did', async () => {
  const copied = messages(await node.mailbox('remote', REMOTE))
  await goTo('page=tasks')
  await choose('u1', 'History')
  await view.app.getByRole('img', { name: 'New messages of the last run' }).waitFor()
  await view.app
    .getByRole('row', { name: /Completed/ })
    .getByRole('cell', { name: String(copied), exact: true })
    .waitFor()
  await screenshot(view, 'real-history')
  await checkAccessibility(view, 'the real history')
  await view.close()
})

it('compares both sides', async () => {
  await goTo('page=tasks')
  await choose('u1', 'Compare')
  await view.app
    .getByRole('row', { name: /^Messages/ })
    .getByText('Same')
    .waitFor()
  await button(view.app, 'Compare folder by folder').click()
  await view.app.getByRole('columnheader', { name: 'Messages at the destination' }).waitFor()
  await screenshot(view, 'real-compare')
  await view.close()
})

it('previews a run that has nothing to do', async () => {
  await goTo('page=tasks')
  await choose('u1', 'Preview')
  await button(view.app, 'Calculate').click()
  await view.app.getByText('A run would change nothing.').waitFor()
  await view.close()
})

it('verifies message by message, by content too', async () => {
  await goTo('page=tasks')
  await choose('u1', 'Verify')
  await view.app.getByLabel('Compare the content too').check()
  await button(view.app, 'Verify').click()
  await view.app.getByText('Both sides agree').waitFor({ timeout: 60_000 })
  await screenshot(view, 'real-verify')
  await view.close()
})

it('leaves out a folder that was picked from the remote tree', async () => {
  await goTo('page=tasks')
  await choose('u1', 'Edit')
  await view.app.getByLabel('All folders but some').check()
  await button(view.app, 'Show the source folders').click()
  const folder = view.app.locator('.isy-folders__item').nth(1)
  const name = await folder.locator('label').innerText()
  await folder.getByRole('checkbox').uncheck()
  await button(view.app, 'Save').click()
  await view.app.getByText('The task of u1 was saved.').waitFor()
  await choose('u1', 'Edit')
  await view.app.getByLabel('Patterns of folders to leave out').waitFor()
  assert.ok((await view.app.getByLabel('Patterns of folders to leave out').inputValue()).startsWith('^'), name)
  await view.close()
})

it('shows how far a run is, and follows its log to the end', async () => {
  gate.pace = SLOW
  await goTo('page=tasks&panel=new')
  await fillTask('u2', REMOTE, PASSWORD, gate)
  await saveAndStart()
  await row('u2').getByRole('progressbar').waitFor({ timeout: 30_000 })
  await row('u2')
    .getByText(/folder \d+ of 12 · [\d,]+ of 300 messages · .* left/)
    .waitFor({ timeout: 30_000 })
  await screenshot(view, 'real-running')
  await choose('u2', 'Log')
  await view.app.locator('.isy-log__line').first().waitFor()
  await view.app.getByRole('progressbar').waitFor()
  await screenshot(view, 'real-log-running')
  gate.pace = 0
  await view.app.getByText(/Exiting with return value 0/).waitFor({ timeout: 60_000 })
  await view.app.getByRole('progressbar').waitFor({ state: 'detached' })
  await view.close()
})

it('stops a run; the next one goes on where it was, and doubles nothing', async () => {
  gate.pace = SLOW / 10
  await goTo('page=tasks&panel=new')
  await fillTask('u3', REMOTE, PASSWORD, gate)
  await saveAndStart()
  await row('u3').getByRole('progressbar').waitFor({ timeout: 30_000 })
  await choose('u3', 'Stop')
  await view.app.getByText('1 task stopped.').waitFor({ timeout: 30_000 })
  await row('u3').getByRole('progressbar').waitFor({ state: 'detached' })
  gate.pace = 0
  await choose('u3', 'Start')
  await row('u3').getByText('Completed').waitFor({ timeout: 60_000 })
  assert.equal(messages(await node.mailbox('local', 'u3')), messages(await node.mailbox('remote', REMOTE)))
  await view.close()
})

it('says in words why a run failed, and lets a changed certificate be accepted', async () => {
  // The door now leads to a server with another certificate.
  gate.target = { host: node.info.local.host, port: node.info.local.port }
  await goTo('page=tasks')
  await choose('u2', 'Start')
  await row('u2').getByText('The server shows another certificate than the accepted one.').waitFor({ timeout: 60_000 })
  await view.close()
  await goTo('page=status')
  await view.app.getByText('1 task failed').waitFor()
  await view.app.getByText('The server shows another certificate than the accepted one.').waitFor()
  await screenshot(view, 'real-status')
  await checkAccessibility(view, 'the status with a failure')
  await view.app.getByText('Show the tasks').click()
  await view.app.getByRole('listitem').filter({ hasText: REMOTE }).getByRole('link', { name: 'Edit' }).last().click()
  await button(view.app, 'Test the connection').click()
  await view.app.getByText('The server shows another certificate than the accepted one', { exact: true }).waitFor()
  await screenshot(view, 'real-certificate-changed')
  await button(view.app, 'Trust this certificate').click()
  // The stored password was for the former server.
  await view.app.getByText(/^The account, its certificate or its encryption changed/).waitFor()
  await view.app.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await button(view.app, 'Test the connection').click()
  // The other server is trusted now, and has no such user.
  await view.app.getByText('The source server refuses this user name and password.').waitFor()
  gate.target = node.info.remote
  await view.page.close()
})

it('works on a phone, by keyboard alone too', async () => {
  await goTo('page=tasks', { viewport: PHONE })
  await checkWidth(view, 'the real list on a phone')
  await screenshot(view, 'real-tasks-phone')
  const press = (key) => view.page.keyboard.press(key)
  await row('u1')
    .getByRole('button', { name: /^Actions for/ })
    .focus()
  await press('Enter')
  await view.app.getByRole('menuitem', { name: 'Edit' }).and(view.app.locator(':focus')).waitFor()
  for (let step = 0; step < 3; step++) await press('ArrowDown')
  assert.equal(await view.app.locator(':focus').innerText(), 'Log')
  await press('Enter')
  await view.app.getByText(/Exiting with return value 0/).waitFor()
  await checkWidth(view, 'the real log on a phone')
  await screenshot(view, 'real-log-phone')
  await view.close()
})

it('imports fifty rows with three faults', async () => {
  const users = Array.from({ length: 47 }, (_, at) => `import${at}@example.com`)
  await node.addUsers('remote', PASSWORD, ...users)
  const { host: server, port } = node.info.remote
  const rows = users.map((user, at) => `u${(at % 3) + 1},${user},${PASSWORD},${server},${port},tls`)
  rows.splice(
    10,
    0,
    `u1,r2@example.com,wrong,${server},${port},tls`,
    `u2,r2@example.com,${PASSWORD},${server},0,tls`,
    `nobody,r3@example.com,Pw-r3!,${server},${port},tls`,
  )
  await goTo('page=import')
  await view.app.getByLabel('Or paste the rows here').fill(`localusername,remoteusername,remotepassword,remotehostname,remoteport,security\n${rows.join('\n')}`)
  await button(view.app, 'Use these rows').click()
  await view.app.getByText('48 rows can be imported. 2 rows cannot.').waitFor()
  await button(view.app, 'Import 48 rows').click()
  await view.app.getByText('47 created, 1 refused').waitFor({ timeout: 120_000 })
  await screenshot(view, 'real-import')
  assert.equal(node.requests.filter((request) => request.action === 'import-tasks').length, 1)
  await view.close()
})

it('has no grave finding of axe on any screen, at any size', async () => {
  const task = 'user=u1&task='
  const { user_properties: tasks } = await node.perform({ action: 'list-tasks' })
  const id = tasks.find((one) => one.localuser === 'u1').task_id
  const places = ['status', 'tasks', 'import', 'settings', 'about'].map((page) => `page=${page}`)
  places.push(...['log', 'compare', 'verify', 'preview'].map((page) => `page=${page}&${task}${id}`), `page=tasks&panel=edit&${task}${id}`)
  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    await goTo('page=status', { viewport })
    for (const place of places) {
      await view.page.evaluate((search) => (location.hash = `/apps/imapsync1?${search}`), place)
      await view
        .frame()
        .waitForFunction((page) => [...document.querySelectorAll('[aria-current=page]')].some((link) => link.href.includes(page)), place.split('&')[0])
      await view.settled()
      await checkAccessibility(view, `${place} on a ${size}`)
      await checkWidth(view, `${place} on a ${size}`)
      await screenshot(
        view,
        `real-${place
          .replace(/^page=/, '')
          .replace(/&user=.*/, '')
          .replace(/&panel=/, '-')}-${size}`,
      )
    }
    await view.close()
  }
})

it('stops many that run in one call, and deletes them', async () => {
  await goTo('page=tasks&size=100')
  await view.app.getByLabel('Select all tasks of this page').check()
  const selected = await view.app.locator('tbody tr').count()
  await button(view.app, 'Start').click()
  await view.app.getByText(/tasks? started\./).waitFor({ timeout: 60_000 })
  await view.app.getByLabel('Select all tasks of this page').check()
  await button(view.app, 'Stop').click()
  await view.app.getByText(/tasks? stopped\./).waitFor({ timeout: 60_000 })
  const { tasks } = await node.perform({ action: 'get-progress' })
  assert.deepEqual(
    tasks.filter((task) => task.state !== 'idle'),
    [],
  )
  await view.app.getByLabel('Select all tasks of this page').check()
  await button(view.app, 'Delete').click()
  await view.app
    .getByRole('dialog')
    .getByLabel(/to confirm$/)
    .fill(String(selected))
  await button(view.app.getByRole('dialog'), 'Delete').click()
  await view.app.getByText('No tasks yet').waitFor({ timeout: 60_000 })
  assert.ok(selected > 40)
  for (const action of ['start-task', 'stop-task', 'delete-task']) {
    assert.equal(node.requests.filter((request) => request.action === action).length, 1)
  }
  await view.close()
})

it('leaves nothing in the parent after an hour of looking on', async () => {
  await goTo('page=tasks&panel=new', { before: (page) => page.clock.install() })
  await fillTask('u1', 'r2@example.com', 'Pw-r2!')
  await button(view.app, 'Save').click()
  await button(view.app, 'Trust this certificate').click()
  await view.app.getByText('The task of u1 was saved.').waitFor()
  // Winding the clock on would be the deadline of the list that is on its way.
  await row('u1').waitFor()
  const polls = () => node.requests.filter((request) => request.action === 'get-progress').length
  // While nothing moves the page looks twice a minute, later every other minute. The clock stands still while an
  // answer is on its way.
  while (polls() < 45) {
    const before = polls()
    // An answer may reach the page just after its clock was wound on: an hour of that clock is plenty.
    for (let wound = 0; polls() === before; wound += 5_000) {
      assert.ok(wound < 3_600_000, 'the polling stopped')
      await view.page.clock.runFor(5_000)
    }
    await view.page.waitForFunction('window.host.listeners().length === 0')
  }
  await view.page.clock.runFor(2_000)
  // What the administrator did stays among the notifications; what the page asked does not.
  const left = await view.host('tasks().map((task) => task.context.action)')
  assert.deepEqual(left, ['create-task', 'create-task'])
  assert.deepEqual(await view.host('listeners()'), [])
  await view.close()
})
