// SPDX-License-Identifier: GPL-3.0-or-later
// Plays cluster-admin's `core`: an event bus, a router on the hash, tasks that are kept until
// someone asks to forget them. It speaks to the server as cluster-admin does.
const base = `${location.origin}/cluster-admin`
const apiUrl = `${base}/api`

const listeners = new Map()
const tasks = new Map()
const toasts = []
const emitted = []

const $on = (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener])
const $off = (event, listener) => {
  const left = (listeners.get(event) ?? []).filter((other) => other !== listener)
  if (left.length > 0) listeners.set(event, left)
  else listeners.delete(event)
}
const $emit = (event, ...values) => {
  emitted.push(event)
  for (const listener of listeners.get(event) ?? []) listener(...values)
}
const $once = (event, listener) => {
  const once = (...values) => {
    $off(event, once)
    listener(...values)
  }
  $on(event, once)
}
$on('deleteNotificationForApp', (id) => tasks.delete(id))

const hooks = new Set()
const route = () => {
  const [path, search = ''] = location.hash.slice(1).split('?')
  return { path: path || '/', query: Object.fromEntries(new URLSearchParams(search)) }
}
const fullPath = ({ path, query }) => {
  const search = new URLSearchParams(query).toString()
  return `#${path}${search ? `?${search}` : ''}`
}
const arrive = () => hooks.forEach((hook) => hook(route()))
const moveTo = (how) => (target) => {
  const next = fullPath(target)
  if (next === location.hash) return Promise.reject(new Error('NavigationDuplicated'))
  history[how](null, '', next)
  arrive()
  return Promise.resolve()
}
addEventListener('popstate', arrive)

// The platform's own words for what every module says.
const WORDS = { en: { cancel: 'Cancel', save: 'Save', delete: 'Delete', edit: 'Edit', close: 'Close' } }
const i18n = { locale: new URLSearchParams(location.search).get('lang') ?? 'en' }
const word = (key) => WORDS[i18n.locale]?.[key.replace('common.', '')]

window.core = {
  _isVue: true,
  __v_skip: true,
  $root: { apiUrl, $i18n: i18n, $on, $once, $off, $emit },
  $router: {
    push: moveTo('pushState'),
    replace: moveTo('replaceState'),
    afterEach: (hook) => {
      hooks.add(hook)
      return () => hooks.delete(hook)
    },
  },
  get $route() {
    return route()
  },
  $t: (key) => word(key) ?? key,
  $te: (key) => word(key) !== undefined,
}

// For the tests to look at.
window.host = {
  listeners: () => [...listeners].filter(([event]) => event !== 'deleteNotificationForApp').map(([event]) => event),
  hooks: () => hooks.size,
  tasks: () => [...tasks.values()],
  toasts: () => toasts,
  emitted: () => emitted,
  setLocale: (locale) => (i18n.locale = locale),
  dropSocket: () => socket.close(),
}

const token = () => JSON.parse(localStorage.getItem('loginInfo') ?? '{}').token
const get = async (path) => {
  const response = await fetch(`${apiUrl}/${path}`, { headers: { Authorization: `Bearer ${token()}` } })
  return response.ok ? (await response.json()).data : null
}

async function onTask(owner, id, { status, progress }) {
  const context = tasks.get(id)?.context ?? (await get(`${owner}/task/${id}/context`))?.context
  const { action, extra = {} } = context ?? {}
  if (!action) return
  if (!tasks.has(id)) tasks.set(id, { id, context })
  const event = (kind) => `${action}-${kind}-${extra.eventId}`
  if (status === 'running' && extra.isProgressNotified) $emit(event('progress'), progress, context)
  if (!['completed', 'aborted', 'validation-failed'].includes(status)) return
  const result = await get(`${owner}/task/${id}/status`)
  tasks.set(id, { id, context, status, result })
  if (status === 'completed') $emit(event('completed'), context, result)
  if (status === 'aborted') {
    toasts.push(`${extra.title}: ${result?.error ?? ''}`)
    $emit(event('aborted'), result, context)
  }
  if (status === 'validation-failed') $emit(event('validation-failed'), result.output, context)
}

/** What is told of one task is handled in turn: a clock that tests turn must not let it overtake itself. */
const queues = new Map()
function inOrder(id, handle) {
  const turn = (queues.get(id) ?? Promise.resolve()).then(handle)
  queues.set(id, turn)
  void turn.finally(() => queues.get(id) === turn && queues.delete(id))
}

let socket
function connect() {
  socket = new WebSocket(`${base.replace(/^http/, 'ws')}/ws`)
  const opened = new Promise((resolve) => socket.addEventListener('open', resolve))
  socket.addEventListener('open', () => socket.send(JSON.stringify({ action: 'authorize', payload: { jwt: token() } })))
  socket.addEventListener('message', ({ data }) => {
    const { name, type, payload } = JSON.parse(data)
    const parts = /^progress\/(cluster|(?:node|module)\/[^/]+)\/task\/([^/]+)$/.exec(name ?? '')
    if (type === 'task' && parts) inOrder(parts[2], () => onTask(parts[1], parts[2], payload))
  })
  socket.addEventListener('close', () => setTimeout(connect, 1000))
  return opened
}

const response = await fetch(`${apiUrl}/login`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ username: 'admin', password: 'Nethesis,1234' }),
})
localStorage.setItem('loginInfo', JSON.stringify({ username: 'admin', token: (await response.json()).token }))
if (!location.hash) history.replaceState(null, '', '#/apps/imapsync1?page=status')
await connect()

const frame = document.createElement('iframe')
frame.id = 'app-frame'
frame.title = 'imapsync'
frame.src = `apps/${/#\/apps\/([a-zA-Z0-9_-]+)/.exec(location.hash)[1]}/index.html`
document.body.append(frame)
