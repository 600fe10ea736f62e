// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import type { Progress, Task } from '../src/api/types.ts'
import * as list from '../src/model/tasks.ts'

const task = (changes: Partial<Task> = {}) =>
  ({
    localuser: 'john',
    task_id: 'a',
    remoteusername: 'j@old',
    remotehostname: 'imap.foo.com',
    remoteport: '143',
    security: 'tls',
    delete_local: false,
    delete_remote: false,
    delete_remote_older: 0,
    exclude: '',
    sieve_enabled: false,
    cron: '',
    foldersynchronization: 'all',
    service_running: false,
    last_sync_timestamp: null,
    last_sync_exit_code: null,
    deletefolder: '',
    expunge_remote: '',
    folder_inbox: '',
    remotepassword: '',
    has_log: false,
    state: 'idle',
    trust: 'authorities',
    paused: false,
    on_hold: false,
    batch: '',
    ...changes,
  }) as Task
const entries = (...tasks: Task[]) => list.entriesOf(tasks, new Map())
const view = (query: Record<string, string>) => list.viewFrom(query)

describe('stateOf', () => {
  it.each<[Partial<Task>, string]>([
    [{}, 'never'],
    [{ last_sync_exit_code: 0 }, 'ok'],
    [{ last_sync_exit_code: 161 }, 'failed'],
    [{ last_sync_exit_code: 143 }, 'stopped'],
    [{ last_sync_exit_code: 0, state: 'running' }, 'running'],
    [{ last_sync_exit_code: 0, state: 'queued' }, 'queued'],
  ])('of %j is %s', (changes, state) => expect(list.stateOf(task(changes))).toBe(state))
  it('believes the latest progress most', () => {
    const idle: Progress = { localuser: 'john', task_id: 'a', state: 'idle' }
    expect(list.stateOf(task({ state: 'running', last_sync_exit_code: 0 }), idle)).toBe('ok')
  })
})

it('prefers the key of the action to the exit code', () => {
  expect(list.failureOf(task({ last_sync_exit_code: 161 }))).toBe('bad_user_credentials')
  expect(list.failureOf(task({ last_sync_exit_code: 12, last_sync_error: 'certificate_changed' }))).toBe('certificate_changed')
  expect(list.failureOf(task({ last_sync_exit_code: 77 }))).toBe('run_failed')
})

it('measures progress by bytes, then by messages, or not at all', () => {
  const progress = (changes: Partial<Progress>) => list.percentOf({ localuser: '', task_id: '', state: 'running', ...changes })
  expect(progress({ bytes_done: 1, bytes_total: 3, messages_done: 9, messages_total: 10 })).toBe(33)
  expect(progress({ bytes_done: 0, bytes_total: 0, messages_done: 9, messages_total: 10 })).toBe(90)
  expect(progress({ messages_done: 12, messages_total: 10 })).toBe(100)
  expect(progress({})).toBeNull()
})

it('searches every word in user, account and server', () => {
  const all = entries(task(), task({ localuser: 'mary', remotehostname: 'imap.bar.com' }))
  const found = (q: string) => list.filterEntries(all, view({ q })).map((entry) => entry.task.localuser)
  expect(found('IMAP')).toEqual(['john', 'mary'])
  expect(found('bar mar')).toEqual(['mary'])
  expect(found('foo mary')).toEqual([])
})

it('filters by state, server and schedule', () => {
  const all = entries(task(), task({ task_id: 'b', cron: '5m', last_sync_exit_code: 0 }), task({ task_id: 'c', remotehostname: 'x.y', state: 'running' }))
  const found = (query: Record<string, string>) => list.filterEntries(all, view(query)).map((entry) => entry.task.task_id)
  expect(found({ state: 'ok' })).toEqual(['b'])
  expect(found({ state: 'active' })).toEqual(['c'])
  expect(found({ host: 'x.y' })).toEqual(['c'])
  expect(found({ schedule: 'manual' })).toEqual(['a', 'c'])
  expect(found({ schedule: '5m' })).toEqual(['b'])
})

it('sorts names by number and language, and unknown times first', () => {
  const all = entries(task({ localuser: 'u10' }), task({ localuser: 'ä2', last_sync_timestamp: 5 }), task({ localuser: 'u9', last_sync_timestamp: 9 }))
  const users = (sort: list.SortKey, down: boolean) => list.sortEntries(all, sort, down, 'de').map((entry) => entry.task.localuser)
  expect(users('localuser', false)).toEqual(['ä2', 'u9', 'u10'])
  expect(users('last', true)).toEqual(['u9', 'ä2', 'u10'])
})

it('keeps the view in the address and forgives a wrong one', () => {
  const query = { q: 'x', state: 'failed', host: 'h', schedule: '5m', source: 's', batch: 'b', sort: 'last', dir: 'desc', p: '3', size: '100' }
  expect(list.queryFrom(view(query))).toEqual(query)
  expect(view({ p: '-4', size: '7', sort: 'nonsense' })).toMatchObject({ page: 1, size: 25, sort: 'localuser' })
})

it('stays quick with two thousand tasks', () => {
  const many = Array.from({ length: 2000 }, (_, at) => task({ localuser: `user${at % 977}`, task_id: String(at) }))
  const started = performance.now()
  const sorted = list.sortEntries(list.filterEntries(entries(...many), view({ q: 'user' })), 'remote', true, 'en')
  expect(sorted).toHaveLength(2000)
  expect(performance.now() - started).toBeLessThan(500)
})
