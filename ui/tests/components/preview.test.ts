// SPDX-License-Identifier: GPL-3.0-or-later
// @vitest-environment happy-dom
import { flushPromises } from '@vue/test-utils'
import { afterEach, expect, it, vi } from 'vitest'
import { compileMessages } from '../../build/locales.ts'
import german from '../../public/i18n/de/translation.json'
import { i18n } from '../../src/i18n/index.ts'
import PreviewView from '../../src/views/PreviewView.vue'
import { button, show } from './mount.ts'

const previewTask = vi.hoisted(() => vi.fn())
vi.mock('../../src/api/index.ts', async (real) => ({ ...(await real<object>()), previewTask }))
vi.mock('../../src/composables/tasks.ts', async (real) => ({ ...(await real<object>()), loadTasks: vi.fn() }))
i18n.global.setLocaleMessage('de', compileMessages(german) as never)

const locale = i18n.global.locale as unknown as { value: string }
const hits = (pattern: string, count: number) => ({ pattern, is_name: false, folders: [], count, of: 1200 })
/** What the module answers: patterns that are odd are its last warnings. */
const ANSWER = {
  folders: [],
  copy: 0,
  bytes: 0,
  flag: 0,
  delete_local: 0,
  delete_remote: 0,
  patterns: [hits('^Old', 3), hits('^Nowhere$', 0), hits('.', 1100)],
  warnings: ['Work: the server does not let it be opened', 'the pattern ^Nowhere$ matches no folder', 'the pattern . leaves out 1100 of 1200 folders'],
}

afterEach(() => {
  locale.value = 'en'
})

it.each([
  ['en', 'Calculate', ['The pattern ^Nowhere$ matches no folder.', 'The pattern . leaves out 1,100 of 1,200 folders.']],
  ['de', 'Berechnen', ['Das Muster ^Nowhere$ trifft auf keinen Ordner zu.', 'Das Muster . schließt 1.100 von 1.200 Ordnern aus.']],
])('tells in the language of the page (%s) what is odd about patterns', async (language, run, patterns) => {
  locale.value = language
  previewTask.mockResolvedValue(ANSWER)
  const view = show(PreviewView)
  await button(view, run).trigger('click')
  await flushPromises()
  const told = view.findAll('.isy-notice--warning').map((notice) => notice.text())
  expect(told).toEqual(['Work: the server does not let it be opened', ...patterns])
  view.unmount()
})
