// SPDX-License-Identifier: GPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { compileMessages, loadLocale } from '../build/locales.ts'
import { ERROR_KEYS, FAILURES } from '../src/api/facts.ts'
import type { Task } from '../src/api/types.ts'
import { failureOf } from '../src/model/tasks.ts'

type Tree = { [key: string]: string | Tree }
const folder = fileURLToPath(new URL('../public/i18n', import.meta.url))
const read = (locale: string) => JSON.parse(readFileSync(join(folder, locale, 'translation.json'), 'utf8')) as Tree
const flatten = (tree: Tree, path = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[path + key, value] as [string, string]] : flatten(value, `${path}${key}.`)))

const english = new Map(flatten(read('en')))
const languages = readdirSync(folder)
const others = languages.filter((language) => language !== 'en')
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
const forms = (text: string) => text.split(' | ').length

describe.each(others)('%s', (locale) => {
  const messages = new Map(flatten(read(locale)))
  it('has every message and none besides', () => expect([...messages.keys()]).toEqual([...english.keys()]))
  it('has the same placeholders and plural forms', () => {
    for (const [key, text] of messages) {
      expect(placeholders(text), key).toEqual(placeholders(english.get(key)!))
      expect(forms(text), key).toBe(forms(english.get(key)!))
      expect(text.trim(), key).toBe(text)
    }
  })
  it('is translated', () => {
    const words = (text: string) =>
      new Set(
        text
          .replace(/\{\w+\}/g, '')
          .match(/\p{L}{4,}/gu)
          ?.map((word) => word.replace(/s$/, '')),
      )
    const same = [...messages].filter(([key, text]) => text === english.get(key) && words(text).size > 1)
    expect(same).toEqual([])
  })
})

it('is told of in every language before it is installed', () => {
  const metadata = JSON.parse(readFileSync(join(folder, '../metadata.json'), 'utf8')) as { description: Record<string, string> }
  expect(Object.keys(metadata.description).sort()).toEqual(languages.sort())
})

// The source is searched for calls with a literal, and for calls with the beginning of a name.
const sources = readdirSync(fileURLToPath(new URL('../src', import.meta.url)), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(vue|ts)$/.test(name))
  .map((name) => readFileSync(fileURLToPath(new URL(`../src/${name}`, import.meta.url)), 'utf8'))
  .join('\n')
const names = [...english.keys()]
const literal = new Set([...sources.matchAll(/['"`]([a-z_]+(?:\.[\w-]+)+)['"`]/g)].map((match) => match[1]!))
const asked = [...sources.matchAll(/\b(t|tn|common)\(\s*['"]([\w.-]+)['"]/g)].map((match) => (match[1] === 'common' ? `common.${match[2]}` : match[2]!))
const begun = [...sources.matchAll(/`([a-z_]+\.[\w.-]*)\$\{[^`]*?\}([\w.-]*)`/g)].map(
  (match) => new RegExp(`^${match[1]!.replaceAll('.', '\\.')}.+${match[2]!.replaceAll('.', '\\.')}$`),
)

it('misses no message that the page asks for', () => {
  expect(asked.filter((name) => !english.has(name))).toEqual([])
  expect(begun.filter((pattern) => !names.some((name) => pattern.test(name))).map(String)).toEqual([])
})

it('has no message that no one asks for', () => {
  const used = new Set([...asked, ...literal])
  expect(names.filter((name) => !used.has(name) && !begun.some((pattern) => pattern.test(name)))).toEqual([])
})

it('knows a word for every refusal that the form or the import makes', () => {
  const keys = [...sources.matchAll(/(?:error: |refuse\('\w+', |return )'(\w+_(?:required|invalid|with_\w+|too_\w+|duplicate|exists))'/g)].map(
    (match) => match[1]!,
  )
  expect(keys.length).toBeGreaterThan(10)
  expect(keys.filter((key) => !english.has(`error.${key}`))).toEqual([])
})

it('knows a word for every refusal of the module', () => {
  const planner = readFileSync(fileURLToPath(new URL('../../actions/common/planner.rs', import.meta.url)), 'utf8')
  const keys = [...ERROR_KEYS, ...[...planner.matchAll(/refused\("[^"]+", "(\w+)"\)/g)].map((match) => match[1]!)]
  expect(keys.length).toBeGreaterThan(15)
  expect(keys.filter((key) => !english.has(`error.${key}`))).toEqual([])
})

it('knows a reason for every exit code of a run', () => {
  const reasons = Object.keys(FAILURES).map((code) => failureOf({ last_sync_exit_code: Number(code), last_sync_error: null } as Task))
  expect(reasons.length).toBeGreaterThan(15)
  expect(reasons.filter((key) => !english.has(`error.${key}`))).toEqual([])
})

it('compiles every message of every language', () => {
  for (const locale of ['en', ...others]) expect(() => loadLocale(folder, locale)).not.toThrow()
  expect(() => compileMessages({ broken: 'a {b' })).toThrow(/message broken/)
})
