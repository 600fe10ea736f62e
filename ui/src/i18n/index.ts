// SPDX-License-Identifier: GPL-3.0-or-later
import urls from 'virtual:locales'
import { createI18n } from 'vue-i18n'
import { core, onLeave } from '../bridge/core.ts'
import { formatNumber } from '../model/format.ts'

/** How often the parent's language is looked at; it tells no one when it changes. */
const LOOK_EVERY = 2_000
const FALLBACK = 'en'

export const i18n = createI18n({
  legacy: false,
  locale: FALLBACK,
  missingWarn: false,
  fallbackWarn: false,
  messages: {} as Record<string, Record<string, never>>,
  // French counts nought among the singular.
  pluralRules: { fr: (count: number, choices: number) => (Math.abs(count) < 2 ? 0 : choices - 1) },
})

/** The part of the composer in use; its full type is too deep for the compiler. */
interface Composer {
  locale: { value: string }
  availableLocales: string[]
  t(key: string, named: Record<string, unknown>, options?: { plural: number }): string
  te(key: string): boolean
  setLocaleMessage(locale: string, messages: unknown): void
}
const composer = i18n.global as unknown as Composer

/** The language in use. */
export const locale = (): string => composer.locale.value

/** A message in the administrator's language. */
export const t = (key: string, named: Record<string, unknown> = {}): string => composer.t(key, named)

/** A message that depends on a number; it is written as `{count}`. */
export const tn = (key: string, count: number, named: Record<string, unknown> = {}): string =>
  composer.t(key, { ...named, count: formatNumber(count, locale()) }, { plural: count })

/** Whether there is such a message. */
export const has = (key: string): boolean => composer.te(key)

/** A word that the platform has too: its own is taken, so that both read alike. */
export function common(key: string): string {
  void composer.locale.value
  const name = `common.${key}`
  return core().$te(name) ? core().$t(name) : t(name)
}

/** What separates the columns of a table in this language's spreadsheets: a comma where none is in numbers. */
export const delimiterOf = (language: string): string => (new Intl.NumberFormat(language).format(1.5).includes(',') ? ';' : ',')

/** The languages that there are messages of: the folders of `public/i18n`. */
export const LANGUAGES = Object.keys(urls)

/** A language in its own words. */
export function nameOfLanguage(language: string): string {
  const name = new Intl.DisplayNames(language, { type: 'language' }).of(language) ?? language
  return name.charAt(0).toLocaleUpperCase(language) + name.slice(1)
}

const supported = (wanted: string): string => {
  const [language = FALLBACK] = wanted.toLowerCase().split(/[-_]/)
  return language in urls ? language : FALLBACK
}

/** Changes to a language once its messages are here; the former one stays when they cannot be had. */
export async function setLocale(wanted: string): Promise<void> {
  const next = supported(wanted)
  if (!composer.availableLocales.includes(next)) {
    const response = await fetch(urls[next]!)
    if (!response.ok) throw new Error(`the messages of ${next} could not be loaded`)
    composer.setLocaleMessage(next, await response.json())
  }
  composer.locale.value = next
  document.documentElement.lang = next
}

/** Loads the parent's language and follows it. */
export async function followLocale(): Promise<void> {
  let wanted = core().$root.$i18n.locale
  await setLocale(wanted)
  const timer = setInterval(() => {
    const now = core().$root.$i18n.locale
    if (now === wanted) return
    wanted = now
    setLocale(now).catch(() => (wanted = locale()))
  }, LOOK_EVERY)
  onLeave(() => clearInterval(timer))
}
