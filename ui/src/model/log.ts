// SPDX-License-Identifier: GPL-3.0-or-later

/** A line of a run's log. */
export interface LogLine {
  number: number
  text: string
  problem: boolean
}

/** Lines that tell of something going wrong; summaries that count no error do not. */
const PROBLEM =
  /\b(err(or)?s?|fail(ed|ure|ures)?|could ?n[o']t|can ?not|can't|refused|denied|warning|problem|timed? ?out|invalid|over ?quota|unreachable|aborted)\b/i
const HARMLESS = /(\b0 errors?\b|errors?\s*[:=]\s*0\b|no errors?\b|--\w*err|Detected 0\b|\bfailed:? 0\b|Exiting with return value 0\b)/i

export function readLog(content: string): LogLine[] {
  const lines = content.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines.map((text, at) => ({
    number: at + 1,
    text,
    problem: (PROBLEM.test(text) && !HARMLESS.test(text)) || /Exiting with return value [1-9]/.test(text),
  }))
}

export function filterLog(lines: LogLine[], search: string, problemsOnly: boolean): LogLine[] {
  const wanted = search.toLowerCase()
  return lines.filter(
    (line) => (!problemsOnly || line.problem) && (wanted === '' || line.text.toLowerCase().includes(wanted)),
  )
}
