// SPDX-License-Identifier: GPL-3.0-or-later
// Reading and writing of CSV as spreadsheets produce it. Passwords in it never leave the browser as
// one string: the platform would show them in its records.

/** A table read from text. */
export interface Table {
  rows: Row[]
  delimiter: string
}

export interface Row {
  /** The line of the file, from 1. */
  line: number
  cells: string[]
}

export const DELIMITERS = [',', ';', '\t', '|'] as const

const MARKS: [string, number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
]

/** By the byte order mark, else by the zeros that UTF-16 puts between the letters, else by what is no UTF-8. */
function encodingOf(bytes: Uint8Array): string {
  const marked = MARKS.find(([, mark]) => mark.every((byte, at) => bytes[at] === byte))
  if (marked) return marked[0]
  if (bytes.length > 1 && bytes[0] === 0 && bytes[1] !== 0) return 'utf-16be'
  if (bytes.length > 1 && bytes[0] !== 0 && bytes[1] === 0) return 'utf-16le'
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return 'utf-8'
  } catch {
    return 'windows-1252'
  }
}

/** Turns a file's bytes into text. */
export function decode(bytes: Uint8Array): { text: string; encoding: string } {
  const encoding = encodingOf(bytes)
  return { text: new TextDecoder(encoding).decode(bytes), encoding }
}

/** What a first line `sep=;` announces. */
const ANNOUNCED = /^\ufeff?"?sep=([,;\t|])/i

/** The delimiter that is announced, else the one that cuts most of the first lines into the same, largest number of cells. */
export function detectDelimiter(text: string): string {
  const announced = ANNOUNCED.exec(text)
  if (announced) return announced[1]!
  let best = { delimiter: ',', score: -Infinity }
  for (const delimiter of DELIMITERS) {
    const rows = parse(text.slice(0, 20_000), delimiter).rows.slice(0, 20)
    const widths = rows.map((row) => row.cells.length)
    const width = widths[0] ?? 0
    if (width < 2) continue
    const even = (widths.filter((other) => other === width).length / widths.length) * 100 + width
    // It cuts through what quotes keep together.
    const torn = rows.flatMap((row) => row.cells).filter((cell) => cell.startsWith('"')).length
    const score = even - torn * 10
    if (score > best.score) best = { delimiter, score }
  }
  return best.delimiter
}

/** A cell in quotes: its text and where it ends; null for a quote that nothing closes, which is part of the cell. */
function quotedCell(line: string, start: number, delimiter: string): { cell: string; end: number } | null {
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] !== '"') continue
    if (line[at + 1] === '"') at++
    else if (at + 1 === line.length || line[at + 1] === delimiter) {
      return { cell: line.slice(start + 1, at).replaceAll('""', '"'), end: at + 1 }
    } else return null
  }
  return null
}

function cellsOf(line: string, delimiter: string): string[] {
  const cells: string[] = []
  for (let at = 0; at <= line.length; at++) {
    const next = line.indexOf(delimiter, at)
    const plain = { cell: line.slice(at, next < 0 ? line.length : next), end: next < 0 ? line.length : next }
    const { cell, end } = (line[at] === '"' ? quotedCell(line, at, delimiter) : null) ?? plain
    cells.push(cell)
    at = end
  }
  return cells
}

/**
 * Reads a table; rows without any content are left out. A row is a line: no field of a task may hold a line break,
 * so a password that begins with a quote does not swallow the rows that follow.
 */
export function parse(text: string, delimiter: string): Table {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)
  const rows = lines
    .map((line, at) => ({ line: at + 1, cells: at === 0 && ANNOUNCED.test(line) ? [] : cellsOf(line, delimiter) }))
    .filter((row) => row.cells.some((cell) => cell.trim() !== ''))
  return { rows, delimiter }
}

/** What a spreadsheet takes for a formula, and what was made harmless before. */
const FORMULA = /^'*[=+\-@\t\r]/

/** A text that no spreadsheet calculates: an apostrophe in front says so. */
export const neutral = (cell: string): string => (FORMULA.test(cell) ? `'${cell}` : cell)

/** Takes back what `neutral` did. */
export const natural = (cell: string): string => (cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell)

/** Writes a table that `parse` reads back, once `natural` has been applied to its cells. */
export function serialize(rows: string[][], delimiter = ','): string {
  const quote = (cell: string) => (/["\r\n]/.test(cell) || cell.includes(delimiter) || cell !== cell.trim() ? `"${cell.replaceAll('"', '""')}"` : cell)
  return rows.map((row) => `${row.map((cell) => quote(neutral(cell))).join(delimiter)}\r\n`).join('')
}
