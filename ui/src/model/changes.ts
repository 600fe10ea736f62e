// SPDX-License-Identifier: GPL-3.0-or-later
// What became of a stored task since somebody began to edit it.
import type { Task } from '../api/types.ts'
import { formOf } from './form.ts'
import type { TaskForm } from './rules.ts'

/** One setting that somebody else changed. */
export interface Change {
  field: keyof TaskForm
  before: string
  now: string
}

const text = (value: string | boolean) => (typeof value === 'boolean' ? (value ? '✓' : '–') : value || '–')

/** The settings that differ between two states of a task. */
export function changesBetween(before: Task, now: Task): Change[] {
  const [one, other] = [formOf(before, false), formOf(now, false)]
  return (Object.keys(one) as (keyof TaskForm)[])
    .filter((field) => one[field] !== other[field])
    .map((field) => ({ field, before: text(one[field]), now: text(other[field]) }))
}
