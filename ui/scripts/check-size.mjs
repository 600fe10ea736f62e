// SPDX-License-Identifier: GPL-3.0-or-later
// The page must load fast over a slow line: all its JavaScript together, and what a first visit
// loads with one language, stay within a budget.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET = 80_000
const folder = new URL('../dist/assets/', import.meta.url)
const size = (name) => gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length
const total = (names) => names.reduce((sum, name) => sum + size(name), 0)

const files = readdirSync(folder)
const scripts = total(files.filter((name) => name.endsWith('.js')))
const language = Math.max(...files.filter((name) => name.endsWith('.json')).map(size))
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
console.log(`JavaScript ${kilobytes(scripts)} gzipped, largest language ${kilobytes(language)}, budget ${kilobytes(BUDGET)}`)
if (scripts > BUDGET) {
  console.error('The page outgrew its budget: split it, or drop what is not needed.')
  process.exitCode = 1
}
