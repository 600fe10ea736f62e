// SPDX-License-Identifier: GPL-3.0-or-later
// What many calls did, and why some of them did not, by reason.
import type { BulkResult, JobRow, Task, TaskRef } from '../api/types.ts'
import { serialize } from './csv.ts'
import { failureOf, keyOf, type Entry } from './tasks.ts'

/** Tasks that share a reason. */
export interface Group {
  /** The key of the reason. */
  reason: string
  tasks: TaskRef[]
}

/** What became of the tasks that an action was about. */
export interface Outcome {
  /** `started`, `already_running` and the like, and how many. */
  done: [result: string, count: number][]
  refused: Group[]
}

/** The largest group first. */
function grouped(refused: [reason: string, task: TaskRef][]): Group[] {
  const groups = new Map<string, TaskRef[]>()
  for (const [reason, { localuser, task_id }] of refused) {
    groups.set(reason, [...(groups.get(reason) ?? []), { localuser, task_id }])
  }
  return [...groups]
    .map(([reason, tasks]) => ({ reason, tasks }))
    .sort((one, other) => other.tasks.length - one.tasks.length || one.reason.localeCompare(other.reason))
}

/** Results that say that nothing had to be done. */
export const IDLE_RESULTS: ReadonlySet<string> = new Set(['already_running', 'not_running'])

export function outcomeOf(results: (BulkResult | JobRow)[]): Outcome {
  const done = new Map<string, number>()
  const refused: [string, TaskRef][] = []
  for (const result of results) {
    const error = 'errors' in result ? result.errors[0]?.error : result.error
    if (result.result === 'refused') refused.push([error ?? 'failed', result])
    else done.set(result.result, (done.get(result.result) ?? 0) + 1)
  }
  const order = ([result]: [string, number]) => Number(IDLE_RESULTS.has(result))
  return { done: [...done].sort((one, other) => order(one) - order(other)), refused: grouped(refused) }
}

/** The tasks whose last run failed, by reason. */
export const failuresOf = (entries: Entry[]): Group[] =>
  grouped(entries.filter((entry) => entry.state === 'failed').map((entry) => [failureOf(entry.task), entry.task]))

/** The groups as a table for a spreadsheet. */
export function groupsAsCsv(groups: Group[], tasks: Task[], words: (reason: string) => string, delimiter: string): string {
  const known = new Map(tasks.map((task) => [keyOf(task), task]))
  const rows = groups.flatMap(({ reason, tasks: refs }) =>
    refs.map((ref) => {
      const task = known.get(keyOf(ref))
      return [ref.localuser, task?.remoteusername ?? '', task?.remotehostname ?? '', ref.task_id, words(reason)]
    }),
  )
  return serialize([['localusername', 'remoteusername', 'remotehostname', 'task_id', 'problem'], ...rows], delimiter)
}
