// SPDX-License-Identifier: GPL-3.0-or-later
// Where the tasks stand that are moved together.
import type { BatchFigures } from '../api/types.ts'
import { isActive, percentOf, type Entry, type State } from './tasks.ts'

export interface BatchStanding {
  /** How many tasks there are. */
  tasks: number
  /** Those that have run, and do not run now. */
  done: number
  /** The share that is done, those at work by how far they are; a mailbox that no one has counted yet counts like any other. */
  percent: number
  /** How many tasks are in each state; those that do not occur are left out. */
  states: [state: State, count: number][]
  /** Messages that are on both sides, as far as they are known. */
  messages: number
  /** Bytes that the runs under way have copied. */
  moving: number
}

const ORDER: State[] = ['running', 'queued', 'stopping', 'failed', 'sign_in_needed', 'stopped', 'never', 'ok']

export function standingOf(entries: Entry[]): BatchStanding {
  const counts = new Map<State, number>()
  let share = 0
  let messages = 0
  let moving = 0
  for (const { task, state, progress } of entries) {
    counts.set(state, (counts.get(state) ?? 0) + 1)
    if (state === 'ok') share += 100
    else if (isActive(state)) share += percentOf(progress) ?? 0
    messages += isActive(state) ? (progress?.messages_done ?? 0) : (task.mailbox_messages ?? 0)
    moving += progress?.bytes_done ?? 0
  }
  return {
    tasks: entries.length,
    done: counts.get('ok') ?? 0,
    percent: entries.length === 0 ? 0 : Math.floor(share / entries.length),
    states: ORDER.flatMap((state) => (counts.has(state) ? [[state, counts.get(state)!] as [State, number]] : [])),
    messages,
    moving,
  }
}

/** The share of the bytes that is moved, or of the messages where there are no bytes; null while nothing is counted. What no one has counted is taken for as much as the rest. */
export function shareOf({ tasks, uncounted, bytes_done, bytes_total, messages_done, messages_total }: BatchFigures): number | null {
  const [done, total] = bytes_total > 0 ? [bytes_done, bytes_total] : [messages_done, messages_total]
  if (tasks === 0 || total === 0) return null
  return Math.min(100, Math.floor((done / total) * ((tasks - uncounted) / tasks) * 100))
}
