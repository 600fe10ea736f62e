// SPDX-License-Identifier: GPL-3.0-or-later
import type { Log } from '../api/types.ts'

/** A line of a run's log. */
export interface LogLine {
  number: number
  text: string
  problem: boolean
}

/** The lines of a log; which of them tell of a problem, the module says. */
export function readLog({ log_content, problems = [] }: Pick<Log, 'log_content' | 'problems'>): LogLine[] {
  const lines = log_content.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  const marked = new Set(problems)
  return lines.map((text, at) => ({ number: at + 1, text, problem: marked.has(at + 1) }))
}

export function filterLog(lines: LogLine[], search: string, problemsOnly: boolean): LogLine[] {
  const wanted = search.toLowerCase()
  return lines.filter((line) => (!problemsOnly || line.problem) && (wanted === '' || line.text.toLowerCase().includes(wanted)))
}
