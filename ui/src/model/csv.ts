// SPDX-License-Identifier: GPL-3.0-or-later
// Reading and writing of CSV as spreadsheets produce it. Passwords in it never leave the browser as
// one string: the platform would show them in its records.

/** A table read from text. */
export interface Table {
  rows: Row[]
  delimiter: string
  /** The line where a quote was opened and never closed. */
  unclosedQuote: number | null
}

export interface Row {
  /** The line of the file where the row starts, from 1. */
  line: number
  cells: string[]
}

export const DELIMITERS = [',', ';', '\t', '|'] as const

/** Turns a file's bytes into text: by its byte order mark, else UTF-8, else the old Windows code page. */
export function decode(bytes: Uint8Array): { text: string; encoding: string } {
  const marks: [string, number[]][] = [
    ['utf-8', [0xef, 0xbb, 0xbf]],
    ['utf-16le', [0xff, 0xfe]],
    ['utf-16be', [0xfe, 0xff]],
  ]
  for (const [encoding, mark] of marks) {
    if (mark.every((byte, at) => bytes[at] === byte)) {
      return { text: new TextDecoder(encoding).decode(bytes), encoding }
    }
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'utf-8' }
  } catch {
    return { text: new TextDecoder('windows-1252').decode(bytes), encoding: 'windows-1252' }
  }
}

/** The delimiter that cuts most of the first lines into the same, largest number of cells. */
export function detectDelimiter(text: string): string {
  let best = { delimiter: ',', score: 0 }
  for (const delimiter of DELIMITERS) {
    const widths = parse(text.slice(0, 20_000), delimiter)
      .rows.slice(0, 20)
      .map((row) => row.cells.length)
    const width = widths[0] ?? 0
    if (width < 2) continue
    const score = (widths.filter((other) => other === width).length / widths.length) * 100 + width
    if (score > best.score) best = { delimiter, score }
  }
  return best.delimiter
}

/** Reads a table (RFC 4180, any line ending, blank lines skipped). */
export function parse(text: string, delimiter: string): Table {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  const rows: Row[] = []
  let cells: string[] = []
  let cell = ''
  let quoted = false
  let wasQuoted = false
  let line = 1
  let start = 1
  let quoteLine = 1

  const endCell = () => {
    cells.push(cell)
    cell = ''
    wasQuoted = false
  }
  const endRow = () => {
    const blank = cells.length === 0 && cell === '' && !wasQuoted
    endCell()
    if (!blank) rows.push({ line: start, cells })
    cells = []
  }

  for (let at = 0; at < source.length; at++) {
    const char = source[at]!
    if (quoted) {
      if (char === '\n') line++
      if (char !== '"') cell += char
      else if (source[at + 1] === '"') {
        cell += '"'
        at++
      } else quoted = false
    } else if (char === '"' && cell === '' && !wasQuoted) {
      quoted = wasQuoted = true
      quoteLine = line
    } else if (char === delimiter) endCell()
    else if (char === '\n' || char === '\r') {
      if (char === '\r' && source[at + 1] === '\n') at++
      endRow()
      line++
      start = line
    } else cell += char
  }
  endRow()
  return { rows, delimiter, unclosedQuote: quoted ? quoteLine : null }
}

/** What a spreadsheet takes for a formula, and what was made harmless before. */
const FORMULA = /^'*[=+\-@\t\r]/

/** A text that no spreadsheet calculates: an apostrophe in front says so. */
export const neutral = (cell: string): string => (FORMULA.test(cell) ? `'${cell}` : cell)

/** Takes back what `neutral` did. */
export const natural = (cell: string): string => (cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell)

/** Writes a table that `parse` reads back, once `natural` has been applied to its cells. */
export function serialize(rows: string[][], delimiter = ','): string {
  const quote = (cell: string) =>
    /["\r\n]/.test(cell) || cell.includes(delimiter) || cell !== cell.trim() ? `"${cell.replaceAll('"', '""')}"` : cell
  return rows.map((row) => `${row.map((cell) => quote(neutral(cell))).join(delimiter)}\r\n`).join('')
}
