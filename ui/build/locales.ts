// SPDX-License-Identifier: GPL-3.0-or-later
// Messages are compiled while building, so the page carries no message compiler, and they are
// written as JSON files of their own: a visitor loads one language, not five.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { baseCompile } from '@intlify/message-compiler'
import type { Plugin } from 'vite'

type Messages = { [key: string]: string | Messages }
type Compiled = { [key: string]: unknown }

/** A syntax tree without the places in the source, which only error messages need. */
function bare(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(bare)
  if (typeof tree !== 'object' || tree === null) return tree
  const kept = Object.entries(tree).filter(([key]) => !['loc', 'start', 'end'].includes(key))
  return Object.fromEntries(kept.map(([key, value]) => [key, bare(value)]))
}

/** Sentences become syntax trees; for plain ones a tree of one leaf is enough. */
export function compileMessages(messages: Messages, path = ''): Compiled {
  const compiled: Compiled = {}
  for (const [key, value] of Object.entries(messages)) {
    const at = path ? `${path}.${key}` : key
    if (typeof value !== 'string') compiled[key] = compileMessages(value, at)
    else if (!/[{}|@]/.test(value)) compiled[key] = { t: 0, b: { t: 2, s: value } }
    else {
      const options = {
        jit: true,
        optimize: true,
        minify: true,
        mangle: true,
        onError: (error: Error) => {
          throw new Error(`message ${at}: ${error.message}`)
        },
      }
      compiled[key] = bare((baseCompile(value, options) as unknown as { ast: unknown }).ast)
    }
  }
  return compiled
}

/** The messages of one language, ready for the page. */
export function loadLocale(folder: string, locale: string): string {
  const messages = JSON.parse(readFileSync(join(folder, `${locale}.json`), 'utf8')) as Messages
  return JSON.stringify(compileMessages(messages))
}

/** Serves `virtual:locales`: a map from language to the URL of its messages. */
export function locales(folder: string): Plugin {
  const id = 'virtual:locales'
  let building = false
  return {
    name: 'locales',
    configResolved(config) {
      building = config.command === 'build'
    },
    resolveId: (source) => (source === id ? `\0${id}` : null),
    load(source) {
      if (source !== `\0${id}`) return null
      const entries = readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => {
          const locale = name.replace('.json', '')
          const text = loadLocale(folder, locale)
          this.addWatchFile(join(folder, name))
          if (!building) {
            return `${locale}: ${JSON.stringify(`data:application/json,${encodeURIComponent(text)}`)}`
          }
          const reference = this.emitFile({ type: 'asset', name, source: text })
          return `${locale}: import.meta.ROLLUP_FILE_URL_${reference}`
        })
      return `export default { ${entries.join(', ')} }`
    },
  }
}
