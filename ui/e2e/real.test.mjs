// SPDX-License-Identifier: GPL-3.0-or-later
// The page on the real actions, moving real mail between two mail servers of the sandbox.
import assert from 'node:assert/strict'
import { after, before, beforeEach, it } from 'node:test'
import { checkAccessibility, launch, open, screenshot } from './browser.mjs'
import { SandboxNode } from './host/sandbox.mjs'
import { serve } from './host/server.mjs'

const MESSAGES = 300
const REMOTE = 'r1@example.com'
const PASSWORD = 'Pw-r1!'

let browser, host, node
let view

before(async () => {
  browser = await launch()
  node = await SandboxNode.start('--unconfigured', '--messages', String(MESSAGES))
  host = await serve(node)
})
after(async () => {
  await host?.close()
  await browser.close()
})
beforeEach(() => {
  node.requests.length = 0
})

const button = (app, name) => app.getByRole('button', { name, exact: true })
const row = (user) => view.app.getByRole('row', { name: new RegExp(`Select the task of ${user} `) })
const messages = (mailbox) => Object.values(mailbox).reduce((sum, folder) => sum + folder.length, 0)

async function goTo(place) {
  view = await open(browser, host, place)
  await view.settled()
}
async function choose(user, item) {
  await row(user).getByRole('button', { name: /^Actions for/ }).click()
  await view.app.getByRole('menuitem', { name: item, exact: true }).click()
}
async function fillTask(user, remote, password) {
  const { app } = view
  await app.getByLabel('Local user').fill(user)
  await app.getByLabel('Remote server').fill(node.info.remote.host)
  await app.getByLabel('Port', { exact: true }).fill(String(node.info.remote.port))
  await app.getByLabel('Remote user name').fill(remote)
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
  await view.app.getByText('The remote server refuses this user name and password.').waitFor()
  await view.app.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await button(view.app, 'Test the connection').click()
  await view.app.getByText('The login works.').waitFor()
  await view.app.getByText('The mailbox can be opened.').waitFor()
  await screenshot(view, 'real-connection')
  await view.page.close()
})

it('refuses a wrong password at its field', async () => {
  await goTo('page=tasks&panel=new')
  await fillTask('u1', REMOTE, 'wrong')
  await button(view.app, 'Save').click()
  await view.app.getByText('The remote server refuses this user name and password.').waitFor()
  assert.equal(await view.app.getByLabel('Password', { exact: true }).getAttribute('aria-invalid'), 'true')
  await view.page.close()
})

it('creates a task, shows its progress, and every message arrives', async () => {
  await goTo('page=tasks&panel=new')
  await fillTask('u1', REMOTE, PASSWORD)
  await button(view.app, 'Save and start').click()
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

it('compares both sides', async () => {
  await goTo('page=tasks')
  await choose('u1', 'Compare')
  await view.app.getByRole('row', { name: /^Messages/ }).getByText('Same').waitFor()
  await button(view.app, 'Compare folder by folder').click()
  await view.app.getByRole('columnheader', { name: 'Local messages' }).waitFor()
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
  await button(view.app, 'Show the remote folders').click()
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

it('imports fifty rows with three faults', async () => {
  const users = Array.from({ length: 47 }, (_, at) => `import${at}@example.com`)
  await node.addUsers('remote', PASSWORD, ...users)
  const { host: server, port } = node.info.remote
  const rows = users.map((user, at) => `u${(at % 3) + 1},${user},${PASSWORD},${server},${port},tls`)
  rows.splice(10, 0, `u1,r2@example.com,wrong,${server},${port},tls`, `u2,r2@example.com,${PASSWORD},${server},0,tls`, `nobody,r3@example.com,Pw-r3!,${server},${port},tls`)
  await goTo('page=import')
  await view.app.getByLabel('Or paste the rows here').fill(`localusername,remoteusername,remotepassword,remotehostname,remoteport,security\n${rows.join('\n')}`)
  await view.app.getByText('48 rows can be imported. 2 rows cannot.').waitFor()
  await button(view.app, 'Import 48 rows').click()
  await view.app.getByText('47 created, 1 refused').waitFor({ timeout: 120_000 })
  await screenshot(view, 'real-import')
  assert.equal(node.requests.filter((request) => request.action === 'import-tasks').length, 1)
  await view.close()
})

it('stops many in one call, and deletes them', async () => {
  await goTo('page=tasks&size=100')
  await view.app.getByLabel('Select all tasks of this page').check()
  const selected = await view.app.locator('tbody tr').count()
  await button(view.app, 'Stop').click()
  await view.app.getByText(/tasks? stopped\./).waitFor({ timeout: 60_000 })
  await view.app.getByLabel('Select all tasks of this page').check()
  await button(view.app, 'Delete').click()
  await button(view.app.getByRole('dialog'), 'Delete').click()
  await view.app.getByText('No tasks yet').waitFor({ timeout: 60_000 })
  assert.ok(selected > 0)
  assert.equal(node.requests.filter((request) => request.action === 'stop-task').length, 1)
  assert.equal(node.requests.filter((request) => request.action === 'delete-task').length, 1)
  await view.close()
})
