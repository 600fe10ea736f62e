// SPDX-License-Identifier: GPL-3.0-or-later
// @vitest-environment happy-dom
import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { BatchFigures, CutoverStep } from '../../src/api/types.ts'
import BatchCutover from '../../src/components/BatchCutover.vue'
import { field, show } from './mount.ts'

const setBatchStep = vi.hoisted(() => vi.fn())
vi.mock('../../src/api/index.ts', async (real) => ({ ...(await real<object>()), setBatchStep }))

const STEPS = ['last_delta', 'lower_ttl', 'change_mx', 'final_delta', 'verify', 'end_schedules', 'done'] as const
const NAME = 'Done: the old server is not needed any more'
/** What the module says; each answer is an object of its own. */
const figures = (done: CutoverStep[] = []) =>
  ({ cutover: Object.fromEntries(STEPS.map((step) => [step, done.includes(step) ? 1_790_000_000 : null])) }) as unknown as BatchFigures
const open = () => show(BatchCutover, { props: { name: 'Friday', entries: [], figures: figures(), rows: [], working: false } })
type View = ReturnType<typeof open>
const isTicked = (view: View) => (field(view, NAME).element as HTMLInputElement).checked

let view: View
beforeEach(() => {
  setBatchStep.mockReset().mockResolvedValue({})
  view = open()
})
afterEach(() => view.unmount())

it('keeps a step ticked while figures arrive that were asked for before', async () => {
  await field(view, NAME).setValue(true)
  await view.setProps({ figures: figures() })
  await flushPromises()
  expect(isTicked(view)).toBe(true)
  expect(setBatchStep).toHaveBeenCalledExactlyOnceWith(expect.any(String), 'Friday', 'done', true)
  expect(view.emitted('changed')).toHaveLength(1)
})

it('shows what the module says once that has agreed', async () => {
  await field(view, NAME).setValue(true)
  await view.setProps({ figures: figures(['done']) })
  expect(isTicked(view)).toBe(true)
  // Taken back elsewhere.
  await view.setProps({ figures: figures() })
  expect(isTicked(view)).toBe(false)
})

it('takes the tick back and says why when it cannot be saved', async () => {
  setBatchStep.mockRejectedValue(new Error('no'))
  await field(view, NAME).setValue(true)
  await flushPromises()
  expect(isTicked(view)).toBe(false)
  expect(view.get('[role=alert]').text()).not.toBe('')
})
