// SPDX-License-Identifier: GPL-3.0-or-later
// The page says what is so: each of these was once untrue. On the real actions and real mail, with a slow door before
// the source; what needs a platform that misbehaves is in truth.test.mjs.
import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { launch, open, PHONE } from './browser.mjs'
import { Gate } from './host/gate.mjs'
import { SandboxNode } from './host/sandbox.mjs'
import { serve } from './host/server.mjs'
import { button, count, fillTask, until } from './stage.mjs'

const PASSWORD = 'Pw-truth 1!'
const USERS = ['anna', 'bruno', 'carla']
const MESSAGES = 120
/** What takes longer has failed. */
const LONG = 300_000
const remote = (user) => `${user}@old.example.com`

let browser, host, node, gate, view
before(async () => {
  browser = await launch()
  node = await SandboxNode.start()
  host = await serve(node)
  gate = await Gate.open(node.info.remote)
  await node.addUsers('local', PASSWORD, ...USERS)
  await node.addUsers('remote', PASSWORD, ...USERS.map(remote))
  for (const [at, user] of USERS.entries()) await node.deliver('remote', remote(user), MESSAGES, at)
  for (const user of USERS) await create(user)
})
after(async () => {
  await host?.close()
  await gate?.shut()
  await browser?.close()
})
// A page that a failed test left open would go on asking.
afterEach(() => view?.page.close())

const task = (user) => ({ localuser: user, task_id: `t-${user}` })
const perform = (action, data) => node.perform({ action, data })
const create = (user, changes = {}) =>
  perform('create-task', {
    ...task(user),
    remoteusername: remote(user),
    remotepassword: PASSWORD,
    remotehostname: gate.host,
    remoteport: gate.port,
    security: 'tls',
    delete_local: false,
    delete_remote: false,
    delete_remote_older: 0,
    exclude: '',
    sieve_enabled: false,
    cron: '',
    foldersynchronization: 'all',
    start: false,
    ...changes,
  })
const standing = async (user) => (await perform('list-tasks', {})).user_properties.find(({ localuser }) => localuser === user)
async function pull(user) {
  await perform('start-task', task(user))
  await until(async () => (await standing(user)).state === 'idle' && (await standing(user)).last_sync_exit_code !== null, `the run of ${user}`, LONG)
  return standing(user)
}
async function goTo(place, options) {
  view = await open(browser, host, place, options)
  await view.settled()
  return view.app
}
const rowOf = (app, user) => app.getByRole('row', { name: new RegExp(`Select the task of ${user} `) })
const about = (user) => `user=${user}&task=t-${user}`

it('tells tasks that were started from those that ran already, and stopped ones from those that did not run', async () => {
  gate.pace = 1
  const app = await goTo('page=tasks')
  const all = () => app.getByLabel('Select all tasks of this page').check()
  const act = async (name, words) => {
    await all()
    await button(app, name).click()
    await app.getByText(words).waitFor()
  }
  await act('Start', '3 tasks started.')
  await act('Start', '3 were running already.')
  assert.equal(await app.getByText(/tasks? started/).count(), 0)
  await perform('stop-task', task('anna'))
  await act('Stop', '2 tasks stopped. 1 was not running.')
  await view.close()
})

it('tells of a run that stands still instead of the time left, and of one that goes on', async () => {
  gate.pace = 1
  await perform('start-task', task('carla'))
  const app = await goTo('page=tasks')
  await app.getByText(/nothing moved for \d+ sec/).waitFor({ timeout: LONG })
  assert.equal(await app.getByText(/ left$/).count(), 0)
  gate.pace = 0
  await rowOf(app, 'carla').getByText('Completed').waitFor({ timeout: LONG })
  await view.close()
})

it('keeps the bars of running tasks filled through a refresh and another page', async () => {
  // So slow that the run is still there at the end, however slow the browser is.
  gate.pace = 0
  await node.deliver('remote', remote('carla'), 2_000, 7)
  gate.pace = 200_000
  await perform('start-task', task('carla'))
  const app = await goTo('page=tasks')
  const bar = rowOf(app, 'carla').getByRole('progressbar')
  await until(async () => (await bar.count()) > 0 && Number(await bar.getAttribute('aria-valuenow')) > 0, 'a filled bar', LONG)
  gate.pace = 1
  const full = Number(await bar.getAttribute('aria-valuenow'))
  const isFilled = async () => Number(await bar.getAttribute('aria-valuenow')) >= full
  const listed = count(node, 'list-tasks')
  await button(app, 'Refresh').click()
  await until(() => count(node, 'list-tasks') > listed, 'the refresh')
  await view.settled()
  assert.ok(await isFilled())
  await app.getByRole('link', { name: 'About' }).click()
  await app.getByRole('heading', { name: 'About' }).waitFor()
  await app.getByRole('link', { name: 'Tasks' }).click()
  await bar.waitFor()
  assert.ok(await isFilled())
  gate.pace = 0
  await rowOf(app, 'carla').getByText('Completed').waitFor({ timeout: LONG })
  await view.close()
})

it('finds no problem in the log of a perfect run, and those of another', async () => {
  assert.equal((await pull('anna')).last_sync_exit_code, 0)
  let app = await goTo(`page=log&${about('anna')}`)
  await app.getByText('Exiting with return value 0').waitFor()
  assert.ok(await app.getByLabel('Problems only (0)').isDisabled())
  assert.equal(await app.locator('.isy-log__line--problem').count(), 0)
  await view.close()

  gate.cut()
  assert.notEqual((await pull('bruno')).last_sync_exit_code, 0)
  gate.closed = false
  app = await goTo(`page=log&${about('bruno')}`)
  const only = app.getByLabel(/^Problems only \([1-9]\d*\)$/)
  await only.check()
  const told = Number(/\d+/.exec(await app.getByText(/^Problems only/).innerText())[0])
  assert.equal(await app.locator('.isy-log__line').count(), told)
  await view.close()
})

it('shows how many messages a mailbox holds, and how many of them are new', async () => {
  await node.deliver('remote', remote('anna'), 3, 9)
  assert.equal((await pull('anna')).last_sync_exit_code, 0)
  let app = await goTo('page=tasks')
  await rowOf(app, 'anna').getByText('3 new in the last run').waitFor()
  await rowOf(app, 'anna')
    .getByText(String(MESSAGES + 3), { exact: true })
    .waitFor()
  await view.close()
  await pull('anna')
  app = await goTo('page=tasks')
  await rowOf(app, 'anna')
    .getByText(String(MESSAGES + 3), { exact: true })
    .waitFor()
  assert.equal(
    await rowOf(app, 'anna')
      .getByText(/new in the last run/)
      .count(),
    0,
  )
  await view.close()
})

it('names the cause when a preview or a verification is not possible', async () => {
  await node.addUsers('remote', 'changed meanwhile', remote('bruno'))
  for (const [page, act] of [
    ['preview', 'Calculate'],
    ['verify', 'Verify'],
  ]) {
    const app = await goTo(`page=${page}&${about('bruno')}`)
    await button(app, act).click()
    await app.getByText('The source server refuses this user name and password.').waitFor()
    await view.close()
  }
  await node.addUsers('remote', PASSWORD, remote('bruno'))
})

it('asks about a server that no one vouches for, in sight, and stores nothing when the answer is no', async () => {
  const app = await goTo('page=tasks&panel=new', { viewport: PHONE })
  await fillTask(app, { 'Destination user': 'bruno', 'Source server': node.info.remote.host, 'Source user name': 'other@old.example.com' })
  await app.getByLabel('Encryption').selectOption('tls')
  await app.getByLabel('Port', { exact: true }).fill(String(node.info.remote.port))
  await button(app, 'Save').click()
  const question = app.getByRole('dialog', { name: /^Do you trust/ })
  const box = await button(question, 'Trust this certificate').boundingBox()
  assert.ok(box.y + box.height <= PHONE.height, 'the question is out of sight')
  await button(question, 'Cancel').click()
  await app
    .getByText(/No known authority vouches for the server/)
    .first()
    .waitFor()
  assert.equal((await perform('list-tasks', {})).user_properties.length, USERS.length)
  await view.page.close()
})

it('refuses to undo what another tab has saved, and says what that was', async () => {
  const panel = `page=tasks&panel=edit&${about('bruno')}`
  const [first, second] = [await open(browser, host, panel), await open(browser, host, panel)]
  for (const { app } of [first, second]) await app.getByRole('dialog').waitFor()
  await first.app.getByRole('dialog').getByLabel('Schedule').selectOption('h')
  await button(first.app, 'Save').click()
  await first.app.getByText('The task of bruno was saved.').waitFor()
  await second.app.getByRole('dialog').getByLabel('Schedule').selectOption('m')
  await button(second.app, 'Save').click()
  await second.app.getByText('This task was changed meanwhile; nothing was saved').waitFor()
  await second.app.getByText('Schedule: – → 1h').waitFor()
  assert.equal((await standing('bruno')).cron, '1h')
  await first.close()
  await second.close()
})

it('keeps a panel open whose task is deleted elsewhere, and counts refusals by their reason', async () => {
  const panel = await open(browser, host, `page=tasks&panel=edit&${about('bruno')}`)
  await panel.app.getByRole('dialog').getByLabel('Schedule').selectOption('m')
  const app = await goTo('page=tasks')
  await app.getByLabel('Select all tasks of this page').check()
  await perform('delete-task', task('bruno'))
  await button(app, 'Start').click()
  await app.getByText('2 tasks started. 1 refused:').waitFor()
  await app.getByText('1 task: This task does not exist any more. Refresh the list.').waitFor()
  await view.close()
  await button(panel.app, 'Save').click()
  await panel.app.getByText('This task was deleted elsewhere').waitFor()
  assert.equal(await panel.app.getByRole('dialog').getByLabel('Schedule').inputValue(), 'm')
  await panel.app.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await button(panel.app, 'Save').click()
  // It is a new task, so its server is unknown.
  await button(panel.app, 'Trust this certificate').click()
  await panel.app.getByText('The task of bruno was saved.').waitFor()
  assert.ok(await standing('bruno'))
  await panel.close()
})

it('groups failures on Status by their cause, and tries them again', async () => {
  gate.cut()
  for (const user of USERS) assert.notEqual((await pull(user)).last_sync_exit_code, 0)
  const app = await goTo('page=status')
  await app.getByText('3 tasks failed').waitFor()
  gate.closed = false
  await button(app, 'Retry these 3').click()
  await app.getByText('3 tasks started.').waitFor()
  await app.getByText('3 tasks failed').waitFor({ state: 'detached', timeout: LONG })
  for (const user of USERS) await until(async () => (await standing(user)).last_sync_exit_code === 0, `the run of ${user}`, LONG)
  await view.close()
})

it('shows no one what programs say to each other', async () => {
  const app = await goTo('page=tasks&panel=new')
  await fillTask(app, { 'Source server': 'nowhere.invalid' })
  await button(app, 'Test the connection').click()
  await app.getByText('The source server cannot be reached: check the host and the port.').waitFor()
  // A server that begins in plain text is asked for TLS.
  await app.getByLabel('Source server').fill(node.info.remote.host)
  await app.getByLabel('Port', { exact: true }).fill(String(node.info.remote.port))
  await app.getByLabel('Encryption').selectOption('ssl')
  await button(app, 'Test the connection').click()
  await app
    .getByText(/encryption/i)
    .last()
    .waitFor()
  await view.settled()
  assert.doesNotMatch(await app.locator('body').innerText(), /Query \{|InvalidContentType|os error/)
  await view.page.close()
})
