// SPDX-License-Identifier: GPL-3.0-or-later

/** A line of a run's log. */
export interface LogLine {
  number: number
  text: string
  problem: boolean
}

/** What the engines write before what went wrong. */
const MARKED = /^(Error: |Err \d+\/\d+: |Host[12] failure: )/
/** Lines that count what went wrong, by the figure in them; a stop on request is none. */
const COUNTED = [/^Folder \[?.*\D(\d+) failed\b/, /^Folder .*\bfailed[ :]+(\d+)$/, /^Messages failed *: *(\d+)/, /^Detected (\d+) errors?\b/]
const ENDED = /^Exiting with return value (\d+)/
const STOPPED = new Set([6, 143])
/** Words of trouble, for what other programs print. */
const TROUBLE = /\b(err(or)?s?|fail(ed|ure|ures)?|could ?n[o']t|can ?not|can't|refused|denied|warning|timed? ?out|over ?quota|unreachable|aborted)\b/i
/** Names of folders and options, and figures that count nothing, say nothing of the kind. */
const SILENT = /\[[^\]]*\]|--?\w[\w-]*|\b(no|0|without) (errors?|warnings?|failures?|failed)\b|\b(errors?|failures?|failed|warnings?)\s*[:=]?\s*0\b/gi

const endOf = (lines: string[]): number | null => {
  const last = [...lines].reverse().find((line) => ENDED.test(line))
  return last === undefined ? null : Number(ENDED.exec(last)![1])
}

function isProblem(text: string, endedWell: boolean): boolean {
  const end = ENDED.exec(text)
  if (end) return Number(end[1]) !== 0 && !STOPPED.has(Number(end[1]))
  if (MARKED.test(text)) return true
  for (const pattern of COUNTED) {
    const found = pattern.exec(text)
    if (found) return Number(found[1]) > 0
  }
  return !endedWell && TROUBLE.test(text.replace(SILENT, ' '))
}

export function readLog(content: string): LogLine[] {
  const lines = content.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  // Whatever words a run used that ended well, nothing went wrong in it.
  const endedWell = endOf(lines) === 0
  return lines.map((text, at) => ({ number: at + 1, text, problem: isProblem(text, endedWell) }))
}

export function filterLog(lines: LogLine[], search: string, problemsOnly: boolean): LogLine[] {
  const wanted = search.toLowerCase()
  return lines.filter((line) => (!problemsOnly || line.problem) && (wanted === '' || line.text.toLowerCase().includes(wanted)))
}

/** Messages of a folder that a run held back from deletion, which an administrator may confirm. */
export interface HeldBack {
  folder: string
  messages: number
  reason: string
}

const HELD_BACK = /^Error: folder \[(.*?)\]: (\d+) messages were not deleted locally: (.*); confirm these deletions if they are meant$/

/** What the run of this log held back, folder by folder. */
export function heldBack(content: string): HeldBack[] {
  return content.split(/\r?\n/).flatMap((line) => {
    const found = HELD_BACK.exec(line)
    return found ? [{ folder: found[1]!, messages: Number(found[2]), reason: found[3]! }] : []
  })
}
