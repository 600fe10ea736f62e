// SPDX-License-Identifier: GPL-3.0-or-later
// The page must load fast over a slow line: the scripts that its first view loads stay within a budget. Other
// views are loaded when they are opened, a language when it is spoken.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET = 70_000
const dist = new URL('../dist/', import.meta.url)
const read = (name) => readFileSync(new URL(name, dist))
const size = (name) => gzipSync(read(name), { level: 9 }).length
const total = (names) => names.reduce((sum, name) => sum + size(name), 0)
const scripts = readdirSync(new URL('assets/', dist))
  .filter((name) => name.endsWith('.js'))
  .map((name) => `assets/${name}`)

/** What a script loads at once: its static imports, and theirs. */
function closure(names, found = new Set()) {
  for (const name of names) {
    if (found.has(name)) continue
    found.add(name)
    const text = String(read(name))
    const imports = [...text.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)].map((match) => `assets/${match[1]}`)
    closure(imports, found)
  }
  return found
}

const entry = [...String(read('index.html')).matchAll(/(?:src|href)="\.\/(assets\/[\w.-]+\.js)"/g)].map((match) => match[1])
const view = scripts.filter((name) => /\/StatusView-/.test(name))
const first = total([...closure([...entry, ...view])])
const language = Math.max(...readdirSync(new URL('i18n/', dist)).map((locale) => size(`i18n/${locale}/translation.json`)))
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
console.log(
  `JavaScript gzipped: first view ${kilobytes(first)} of ${kilobytes(BUDGET)}, all ${kilobytes(total(scripts))}; largest language ${kilobytes(language)}`,
)
if (entry.length === 0 || first > BUDGET) {
  console.error('The first view outgrew its budget: load later what it does not need.')
  process.exitCode = 1
}
