// SPDX-License-Identifier: GPL-3.0-or-later
// Fills a sandbox with tasks in every state there is, by the module's own actions: what an administrator sees
// in the middle of a migration.
import { Gate } from './gate.mjs'

const PASSWORD = 'demo'
const DOMAIN = 'old.example.com'
const AT_ONCE = 3
/** Octets in a second, of all of them: slow enough for runs to be watched for a quarter of an hour. */
const SLOW = 40_000

const NAMES = [
  'anna.rossi',
  'bruno.bianchi',
  'carla.meier',
  'dario.dupont',
  'elena.garcia',
  'franco.novak',
  'greta.smith',
  'hugo.keller',
  'irene.conti',
  'jonas.weber',
  'karin.lang',
  'luca.moretti',
]
const SCHEDULES = ['', '15m', '1h', '12h']

/** Resolves once `ready` says so; gives up after a while. */
async function until(ready, what) {
  const deadline = Date.now() + 120_000
  while (!(await ready())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Returns what has to be closed at the end. */
export async function fill(node) {
  const act = (action, data = {}) => node.perform({ action, data })
  const [slow, closing, changing] = await Promise.all([1, 2, 3].map(() => Gate.open(node.info.remote)))
  const plain = node.info.remote

  const users = NAMES.flatMap((name) => [name, `${name}2`])
  await node.addUsers('local', PASSWORD, ...users)
  await node.addUsers('remote', PASSWORD, ...users.map((user) => `${user}@${DOMAIN}`))
  const configuration = await act('get-configuration')
  const { mail_server, mail_host } = configuration
  await act('configure-module', { mail_server, mail_host, max_concurrent_syncs: AT_ONCE })

  const row = (user, server, more = {}) => ({
    localuser: user,
    remoteusername: `${user}@${DOMAIN}`,
    remotepassword: PASSWORD,
    remotehostname: server.host,
    remoteport: server.port,
    security: 'tls',
    start: false,
    ...more,
  })
  const completed = users.slice(0, 10).map((user, at) => row(user, plain, { cron: SCHEDULES[at % 4] }))
  const unreachable = users.slice(10, 12).map((user) => row(user, closing, { cron: '1h' }))
  const refused = users.slice(12, 15).map((user) => row(user, plain))
  const strange = users.slice(15, 16).map((user) => row(user, changing))
  const running = users.slice(16, 21).map((user) => row(user, slow))
  const never = users
    .slice(21)
    .map((user, at) => row(user, plain, { cron: SCHEDULES[at % 4 && 3], foldersynchronization: at ? 'exclusion' : 'all', exclude: at ? '^Trash$,^Junk$' : '' }))

  for (const [at, { remoteusername }] of [...completed, ...running].entries()) {
    const messages = at < completed.length ? 12 + at * 9 : 500
    await node.deliver('remote', remoteusername, messages, at + 1)
  }
  const rows = [...completed, ...unreachable, ...refused, ...strange, ...running, ...never]
  const { refused: count, results } = await act('import-tasks', { mode: 'skip', tasks: rows })
  if (count > 0) throw new Error(`rows were refused: ${JSON.stringify(results.filter((result) => result.errors.length > 0))}`)

  // Now that the tasks are there, some of them lose what they were made with.
  await closing.shut()
  changing.target = node.info.local
  await node.addUsers('remote', 'another one', ...refused.map((one) => one.remoteusername))

  const refs = (some) => ({ tasks: some.map(({ localuser }) => ({ localuser, task_id: results.find((result) => result.localuser === localuser).task_id })) })
  const idle = async () => (await act('get-progress')).tasks.every((task) => task.state === 'idle')
  await act('start-task', refs([...completed, ...unreachable, ...refused, ...strange]))
  await until(idle, 'the runs to end')
  slow.pace = SLOW
  await act('start-task', refs(running))
  await until(async () => (await act('get-progress')).tasks.filter((task) => task.state === 'running').length === AT_ONCE, 'the slow runs to begin')
  return () => Promise.all([slow.shut(), changing.shut()])
}
