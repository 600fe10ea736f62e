// SPDX-License-Identifier: GPL-3.0-or-later
// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from 'vitest'
import { nextTick, reactive } from 'vue'
import BxPagination from '../../src/components/BxPagination.vue'
import DeletionField from '../../src/components/DeletionField.vue'
import ScheduleField from '../../src/components/ScheduleField.vue'
import { emptyForm } from '../../src/model/form.ts'
import { button, field, show } from './mount.ts'

let view: { unmount(): void } | undefined
afterEach(() => view?.unmount())

describe('the field of a schedule', () => {
  const open = (cron: string | null) => {
    const shown = show(ScheduleField, { props: { modelValue: cron } })
    view = shown
    return { shown, last: () => shown.emitted('update:modelValue')?.at(-1)?.[0] }
  }

  it('chooses nothing by itself', () => {
    const { shown, last } = open(null)
    expect((field(shown, 'Schedule').element as HTMLSelectElement).selectedOptions[0]!.text).toBe('Choose')
    expect(last()).toBeUndefined()
  })

  it('writes what is chosen as the module stores it', async () => {
    const { shown, last } = open('')
    await field(shown, 'Schedule').setValue('h')
    expect(last()).toBe('1h')
    await field(shown, 'Sat').setValue(false)
    await field(shown, 'Sun').setValue(false)
    expect(last()).toBe('1h@mon,tue,wed,thu,fri')
    await field(shown, 'Schedule').setValue('manual')
    expect(last()).toBe('')
  })

  it('shows what is stored', () => {
    const { shown } = open('15m@22-6')
    expect((field(shown, 'Schedule').element as HTMLSelectElement).value).toBe('m')
    expect((shown.get('input[type=number]').element as HTMLInputElement).value).toBe('15')
    expect(shown.findAll('select').map((one) => (one.element as HTMLSelectElement).value)).toEqual(['m', '22', '6'])
  })
})

describe('the field of deletions', () => {
  const open = (changes: object) => {
    const form = reactive({ ...emptyForm(), ...changes })
    const shown = show(DeletionField, { props: { modelValue: form } })
    view = shown
    return { form, shown }
  }
  const choose = (shown: ReturnType<typeof open>['shown'], value: string) => shown.get(`input[value=${value}]`).setValue(true)

  it('never deletes on both sides', async () => {
    const { form, shown } = open({})
    await choose(shown, 'local')
    expect([form.delete_local, form.delete_remote]).toEqual([true, false])
    await choose(shown, 'remote')
    expect([form.delete_local, form.delete_remote, form.delete_remote_older]).toEqual([false, true, '0'])
    await choose(shown, 'none')
    expect([form.delete_local, form.delete_remote]).toEqual([false, false])
  })

  it('keeps the days of old mail, and proposes some', async () => {
    const { form, shown } = open({})
    await choose(shown, 'older')
    expect(form.delete_remote_older).toBe('30')
    form.delete_remote_older = '90'
    await nextTick()
    expect((field(shown, 'Days').element as HTMLInputElement).value).toBe('90')
  })

  it('offers no deletions at the destination for what is copied into one folder', () => {
    const { shown } = open({ foldersynchronization: 'inbox' })
    expect(shown.get('input[value=local]').attributes('disabled')).toBeDefined()
  })
})

describe('the pages of a list', () => {
  it('are counted, and end at both ends', async () => {
    const shown = show(BxPagination, { props: { total: 60, page: 1, size: 25 } })
    view = shown
    expect(shown.get('.isy-pagination__range').text()).toBe('1–25 of 60')
    expect(button(shown, 'Previous page').attributes('disabled')).toBeDefined()
    await button(shown, 'Next page').trigger('click')
    expect(shown.emitted('page')).toEqual([[2]])
    await shown.setProps({ page: 3 })
    expect(shown.get('.isy-pagination__range').text()).toBe('51–60 of 60')
    expect(button(shown, 'Next page').attributes('disabled')).toBeDefined()
  })
})
