// SPDX-License-Identifier: GPL-3.0-or-later
// Translators write `public/i18n/<language>/translation.json`. Messages are compiled while building, so the
// page carries no message compiler; a visitor loads one language, not five.
import { createHash } from 'node:crypto'
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

const fileOf = (folder: string, locale: string) => join(folder, locale, 'translation.json')

/** The messages of one language, ready for the page. */
export function loadLocale(folder: string, locale: string): string {
  const messages = JSON.parse(readFileSync(fileOf(folder, locale), 'utf8')) as Messages
  return JSON.stringify(compileMessages(messages))
}

/** Serves `virtual:locales`: a map from language to the URL of its messages. */
export function locales(folder: string): Plugin {
  const id = 'virtual:locales'
  let building = false
  return {
    name: 'locales',
    configResolved: ({ command }) => void (building = command === 'build'),
    resolveId: (source) => (source === id ? `\0${id}` : null),
    load(source) {
      if (source !== `\0${id}`) return null
      const entries = readdirSync(folder).map((locale) => {
        const text = loadLocale(folder, locale)
        this.addWatchFile(fileOf(folder, locale))
        // It takes the place of what the translators wrote, which the build copies there.
        const fileName = `i18n/${locale}/translation.json`
        if (building) this.emitFile({ type: 'asset', fileName, source: text })
        // The name stays; what follows it has browsers ask again after an update.
        const version = createHash('sha256').update(text).digest('hex').slice(0, 8)
        return [locale, `${fileName}?v=${version}`]
      })
      return `export default ${JSON.stringify(Object.fromEntries(entries))}`
    },
  }
}
