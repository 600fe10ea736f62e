// SPDX-License-Identifier: GPL-3.0-or-later
// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ActionFailure, runAction } from '../src/bridge/action.ts'
import { connect, instanceName, leave, setTitle } from '../src/bridge/core.ts'
import { amend, followRoute, href, lastQuery, navigate, route, setGuard } from '../src/bridge/route.ts'
import { fakeCore } from './fake-core.ts'

let host: ReturnType<typeof fakeCore>
beforeEach(() => {
  vi.useFakeTimers()
  host = fakeCore()
})
afterEach(() => {
  leave()
  setGuard(null)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const submitted = () => vi.advanceTimersByTimeAsync(0)
const forgotten = () => host.emitted.filter(([event]) => event === 'deleteNotificationForApp').map(([, [id]]) => id)
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: ActionFailure) => error,
  )

describe('runAction', () => {
  it('submits the task and resolves with its output', async () => {
    const answer = runAction('list-tasks', { a: 1 }, { title: 'T', quiet: true })
    await submitted()
    expect(host.last()).toMatchObject({ url: '/api/module/imapsync1/tasks', token: 'Bearer first', action: 'list-tasks', data: { a: 1 } })
    expect(host.last().extra).toMatchObject({ title: 'T', isNotificationHidden: true, isProgressNotified: false })
    host.answer('completed', {}, { output: { tasks: [] }, exit_code: 0 })
    expect(await answer).toEqual({ tasks: [] })
    expect(host.listeners.size).toBe(0)
  })

  it('asks the cluster when told to', async () => {
    void runAction('list-backups', {}, { title: 'T', target: 'cluster' }).catch(() => {})
    await submitted()
    expect(host.last().url).toBe('/api/cluster/tasks')
  })

  it('has a quiet task forgotten, once the parent has stored it', async () => {
    void runAction('get-progress', {}, { title: 'T', quiet: true })
    await submitted()
    host.answer('completed', {}, { output: {}, exit_code: 0 })
    expect(forgotten()).toEqual([])
    await vi.advanceTimersByTimeAsync(600)
    expect(forgotten()).toEqual(['task-1'])
  })

  it('leaves a loud task among the notifications', async () => {
    void runAction('start-task', {}, { title: 'T' })
    await submitted()
    host.answer('completed', {}, { output: {}, exit_code: 0 })
    await vi.advanceTimersByTimeAsync(600)
    expect(forgotten()).toEqual([])
  })

  it('hands refusals on with their fields', async () => {
    const errors = [{ field: 'localuser', parameter: 'localuser', value: '', error: 'localuser_invalid' }]
    const failed = failure(runAction('create-task', {}, { title: 'T' }))
    await submitted()
    host.answer('validation-failed', errors, {})
    expect(await failed).toMatchObject({ kind: 'refused', errors })
    expect(host.listeners.size).toBe(0)
  })

  it('settles once, whatever follows', async () => {
    const failed = failure(runAction('create-task', {}, { title: 'T' }))
    await submitted()
    const event = `create-task-completed-${host.last().extra.eventId}`
    host.answer('aborted', { error: 'killed', exit_code: 143 }, {})
    host.core.$root.$emit(event, {}, { output: 'late', exit_code: 0 })
    expect(await failed).toMatchObject({ kind: 'aborted', detail: 'killed' })
  })

  it('reports progress', async () => {
    const seen: number[] = []
    void runAction('import-tasks', {}, { title: 'T', onProgress: (percent) => seen.push(percent) })
    await submitted()
    host.answer('progress', 40, {})
    host.answer('completed', {}, { output: {}, exit_code: 0 })
    expect(seen).toEqual([40])
    expect(host.last().extra.isProgressNotified).toBe(true)
  })

  it('gives up in the end, and says so', async () => {
    const failed = failure(runAction('get-log', {}, { title: 'T', timeout: 5_000 }))
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await failed).toMatchObject({ kind: 'timeout' })
    expect(host.listeners.size).toBe(0)
  })

  it('asks for a result whose event was lost with the connection', async () => {
    const answer = runAction('get-log', {}, { title: 'T' })
    await submitted()
    host.status.result = { output: 'found', error: '', exit_code: 0 }
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await answer).toBe('found')
  })

  it('tells a lost connection from an expired session', async () => {
    host.status.post = 0
    expect(await failure(runAction('get-log', {}, { title: 'T' }))).toMatchObject({ kind: 'offline' })
    host.status.post = 401
    const failed = failure(runAction('get-log', {}, { title: 'T' }))
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await failed).toMatchObject({ kind: 'session' })
    expect(host.listeners.size).toBe(0)
  })

  it('goes on with a renewed token', async () => {
    host.status.post = 401
    const answer = runAction('get-log', {}, { title: 'T' })
    await submitted()
    host.status.post = 201
    localStorage.setItem('loginInfo', JSON.stringify({ token: 'second' }))
    await vi.advanceTimersByTimeAsync(2_000)
    expect(host.last().token).toBe('Bearer second')
    host.answer('completed', {}, { output: 'ok', exit_code: 0 })
    expect(await answer).toBe('ok')
  })

  it('takes its listeners back when the page goes', async () => {
    const failed = failure(runAction('get-log', {}, { title: 'T' }))
    await submitted()
    expect(host.listeners.size).toBe(3)
    leave()
    expect(host.listeners.size).toBe(0)
    expect(await failed).toMatchObject({ kind: 'left' })
  })

  it('has a task forgotten whose event comes long after its answer', async () => {
    const answer = runAction('get-progress', {}, { title: 'T', quiet: true })
    await submitted()
    host.status.result = { output: {}, exit_code: 0 }
    await vi.advanceTimersByTimeAsync(16_000)
    await answer
    await vi.advanceTimersByTimeAsync(60_000)
    const before = forgotten().length
    host.answer('completed', {}, { output: {}, exit_code: 0 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(forgotten().length).toBe(before + 1)
    expect(host.listeners.size).toBe(0)
  })

  it('has a task forgotten whose event comes after it was given up', async () => {
    const failed = failure(runAction('get-progress', {}, { title: 'T', quiet: true, timeout: 5_000 }))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await failed).toMatchObject({ kind: 'timeout' })
    const before = forgotten().length
    host.answer('completed', {}, { output: {}, exit_code: 0 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(forgotten().length).toBe(before + 1)
    expect(host.listeners.size).toBe(0)
  })

  it('leaves no listener and no task behind after an hour of polling', async () => {
    for (let round = 0; round < 900; round++) {
      const answer = runAction('get-progress', {}, { title: 'T', quiet: true })
      await submitted()
      host.answer('completed', {}, { output: {}, exit_code: 0 })
      await answer
      await vi.advanceTimersByTimeAsync(4_000)
    }
    expect(host.listeners.size).toBe(0)
    expect(new Set(forgotten()).size).toBe(900)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the route', () => {
  beforeEach(followRoute)

  it('is read from the address', () => {
    expect(instanceName()).toBe('imapsync1')
    expect(route.value).toEqual({ page: 'tasks', query: { q: 'x' } })
  })
  it('goes to the address, without what is empty', () => {
    navigate('log', { user: 'john', task: '' })
    expect(window.location.hash).toBe('#/apps/imapsync1?page=log&user=john')
    amend({ user: 'mary' })
    expect(route.value).toEqual({ page: 'log', query: { user: 'mary' } })
    expect(lastQuery('tasks')).toEqual({ q: 'x' })
  })
  it('follows the back button, of this instance only', () => {
    host.move({ path: '/apps/imapsync1', query: { page: 'settings' } })
    expect(route.value.page).toBe('settings')
    host.move({ path: '/apps/mail1', query: { page: 'other' } })
    expect(route.value.page).toBe('settings')
  })
  it('is held back by unsaved changes, from links and from the back button', () => {
    let held: (() => void) | null = null
    setGuard((next) => {
      held = next
      return false
    })
    navigate('about')
    host.move({ path: '/apps/imapsync1', query: { page: 'settings' } })
    expect(route.value.page).toBe('tasks')
    expect(window.location.hash).toContain('page=tasks')
    setGuard(null)
    held!()
    expect(route.value.page).toBe('settings')
  })
  it('makes links for other tabs', () => {
    expect(href('log', { user: 'a b' })).toMatch(/#\/apps\/imapsync1\?page=log&user=a\+b$/)
  })
  it('lets go of the router when the page goes', () => {
    expect(host.hooks.size).toBe(1)
    leave()
    expect(host.hooks.size).toBe(0)
  })
})

it('hands its window to the keyboard shortcuts, and titles the tab', () => {
  connect()
  expect(host.emitted).toContainEqual(['configureKeyboardShortcuts', [window]])
  ;(window as unknown as { CONFIG: unknown }).CONFIG = { PRODUCT_NAME: 'NethServer' }
  setTitle('Tasks')
  expect(document.title).toBe('Tasks - NethServer')
})
