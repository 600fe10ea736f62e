// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest'
import type { Progress, Task } from '../src/api/types.ts'
import { standingOf } from '../src/model/batch.ts'
import type { Entry, State } from '../src/model/tasks.ts'

const entry = (state: State, mailbox_messages: number | null = null, progress?: Partial<Progress>): Entry =>
  ({ key: '', task: { mailbox_messages } as Task, state, progress: progress && { localuser: '', task_id: '', state: 'running', ...progress } }) as Entry

it('counts those at work by how far they are', () => {
  const standing = standingOf([
    entry('ok', 100),
    entry('running', 50, { bytes_done: 10, bytes_total: 20, messages_done: 7 }),
    entry('queued'),
    entry('failed', 3),
  ])
  expect(standing.percent).toBe(37)
  expect([standing.tasks, standing.done, standing.messages, standing.moving]).toEqual([4, 1, 110, 10])
  expect(standing.states).toEqual([
    ['running', 1],
    ['queued', 1],
    ['failed', 1],
    ['ok', 1],
  ])
})

it('is at nought with nothing to do', () => expect(standingOf([]).percent).toBe(0))
