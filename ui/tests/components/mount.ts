// SPDX-License-Identifier: GPL-3.0-or-later
// One component in a document, in English.
import { mount, type VueWrapper } from '@vue/test-utils'
import { compileMessages } from '../../build/locales.ts'
import english from '../../public/i18n/en/translation.json'
import { i18n } from '../../src/i18n/index.ts'

i18n.global.setLocaleMessage('en', compileMessages(english) as never)

/** Mounts it in the document, so that the focus can be in it. */
export const show: typeof mount = ((component: never, options: object) => mount(component, { attachTo: document.body, ...options })) as never

/** The button with this text or label. */
export function button(wrapper: VueWrapper, name: string) {
  const found = wrapper.findAll('button').find((one) => (one.attributes('aria-label') ?? one.text()) === name)
  if (!found) throw new Error(`no button ${name} in ${wrapper.html()}`)
  return found
}

/** The field with this label. */
export function field(wrapper: VueWrapper, label: string) {
  const found = wrapper.findAll('label').find((one) => one.text() === label)
  if (!found) throw new Error(`no field ${label} in ${wrapper.html()}`)
  return wrapper.get(`[id="${found.attributes('for')}"]`)
}
