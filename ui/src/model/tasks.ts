// SPDX-License-Identifier: GPL-3.0-or-later
// What the list of tasks shows: states, search, filters, order, pages.
import { FAILURES, STOPPED } from '../api/facts.ts'
import type { Progress, Task, TaskRef } from '../api/types.ts'

export const STATES = ['running', 'queued', 'stopping', 'sign_in_needed', 'ok', 'failed', 'stopped', 'never'] as const
export type State = (typeof STATES)[number]

export const SORT_KEYS = ['localuser', 'remote', 'state', 'last', 'next', 'messages'] as const
export type SortKey = (typeof SORT_KEYS)[number]

export const keyOf = (task: TaskRef): string => `${task.localuser}/${task.task_id}`

export const sameTask = (one: TaskRef, other: TaskRef): boolean => one.localuser === other.localuser && one.task_id === other.task_id

/** The state shown to people: what runs, else how the last run ended. */
export function stateOf(task: Task, progress?: Progress): State {
  const run = progress?.state ?? task.state
  if (run !== 'idle') return run
  if (task.last_sync_exit_code === null || task.last_sync_exit_code === undefined) return 'never'
  return endOf(task.last_sync_exit_code)
}

/** How a run ended, by its exit code. */
export function endOf(exitCode: number): 'ok' | 'stopped' | 'failed' {
  if (exitCode === 0) return 'ok'
  return STOPPED.has(exitCode) ? 'stopped' : 'failed'
}

/** The key of the reason why the last run failed. */
export const failureOf = (task: Task): string => reasonOf(task.last_sync_error, task.last_sync_exit_code)

/** The key of the reason why a run failed. */
export const reasonOf = (error: string | null | undefined, exitCode: number | null | undefined): string => error || FAILURES[exitCode ?? 0] || 'run_failed'

/** The share that is done, 0 to 100, or null while no one knows. */
export function percentOf(progress: Progress | undefined): number | null {
  const bytes = ratio(progress?.bytes_done, progress?.bytes_total)
  return bytes ?? ratio(progress?.messages_done, progress?.messages_total)
}

/** So long nothing moved that the time left is anybody's guess. */
const STALLED_AFTER = 30
export const isStalled = (progress: Progress): boolean => (progress.seconds_idle ?? 0) >= STALLED_AFTER

function ratio(done: number | null | undefined, total: number | null | undefined): number | null {
  if (!total || done === null || done === undefined) return null
  return Math.min(100, Math.floor((done / total) * 100))
}

/** A row of the table. */
export interface Entry {
  key: string
  task: Task
  state: State
  progress: Progress | undefined
  next: number | null
  haystack: string
}

export function entriesOf(tasks: Task[], progress: Map<string, Progress>): Entry[] {
  return tasks.map((task) => {
    const key = keyOf(task)
    const current = progress.get(key)
    return {
      key,
      task,
      state: stateOf(task, current),
      progress: current,
      next: task.next_run ?? null,
      haystack: `${task.localuser} ${task.remoteusername} ${task.remotehostname} ${task.batch ?? ''}`.toLowerCase(),
    }
  })
}

/** What the administrator wants to see; all of it is kept in the address. */
export interface View {
  source: string
  batch: string
  search: string
  state: string
  host: string
  schedule: string
  sort: SortKey
  descending: boolean
  page: number
  size: number
}

export const PAGE_SIZES = [25, 50, 100, 200]

export function viewFrom(query: Record<string, string>): View {
  const size = Number(query.size)
  return {
    search: query.q ?? '',
    state: query.state ?? '',
    host: query.host ?? '',
    schedule: query.schedule ?? '',
    source: query.source ?? '',
    batch: query.batch ?? '',
    sort: SORT_KEYS.find((key) => key === query.sort) ?? 'localuser',
    descending: query.dir === 'desc',
    page: Math.max(1, Math.floor(Number(query.p)) || 1),
    size: PAGE_SIZES.includes(size) ? size : PAGE_SIZES[0]!,
  }
}

export function queryFrom(view: View): Record<string, string> {
  return {
    q: view.search,
    state: view.state,
    host: view.host,
    schedule: view.schedule,
    source: view.source,
    batch: view.batch,
    sort: view.sort === 'localuser' ? '' : view.sort,
    dir: view.descending ? 'desc' : '',
    p: view.page === 1 ? '' : String(view.page),
    size: view.size === PAGE_SIZES[0] ? '' : String(view.size),
  }
}

/** Stands in the address for tasks of no batch; no batch is called so, for blanks around a name are none of it. */
export const NO_BATCH = ' '

export const isFiltered = (view: View): boolean => [view.search, view.state, view.host, view.schedule, view.source, view.batch].some((value) => value !== '')

export function filterEntries(entries: Entry[], view: View): Entry[] {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean)
  return entries.filter(
    ({ task, state, haystack }) =>
      (view.state === '' || view.state === state || (view.state === 'active' && isActive(state))) &&
      (view.host === '' || view.host === task.remotehostname) &&
      (view.batch === '' || view.batch === (task.batch || NO_BATCH)) &&
      (view.source === '' || view.source === (task.source ?? 'none')) &&
      (view.schedule === '' || view.schedule === (task.cron === '' ? 'manual' : task.cron)) &&
      words.every((word) => haystack.includes(word)),
  )
}

export const isActive = (state: State): boolean => state === 'running' || state === 'queued' || state === 'stopping'

export function sortEntries(entries: Entry[], sort: SortKey, descending: boolean, locale: string): Entry[] {
  const collator = new Intl.Collator(locale, { numeric: true })
  const text = (pick: (entry: Entry) => string) => (one: Entry, other: Entry) => collator.compare(pick(one), pick(other))
  const number = (pick: (entry: Entry) => number | null | undefined) => (one: Entry, other: Entry) => (pick(one) ?? -1) - (pick(other) ?? -1)
  const orders: Record<SortKey, (one: Entry, other: Entry) => number> = {
    localuser: text((entry) => entry.task.localuser),
    remote: text((entry) => `${entry.task.remoteusername} ${entry.task.remotehostname}`),
    state: number((entry) => STATES.indexOf(entry.state)),
    last: number((entry) => entry.task.last_sync_timestamp),
    next: number((entry) => entry.next),
    messages: number((entry) => entry.task.mailbox_messages ?? entry.task.last_sync_messages),
  }
  const order = orders[sort]
  return [...entries].sort((one, other) => (descending ? order(other, one) : order(one, other)))
}

export function countStates(entries: Entry[]): Record<State, number> {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>
  for (const { state } of entries) counts[state]++
  return counts
}

/** The values that occur, in order. */
export const distinct = (values: string[], locale: string): string[] => [...new Set(values)].sort(new Intl.Collator(locale, { numeric: true }).compare)
