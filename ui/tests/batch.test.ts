// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest'
import type { BatchFigures, Progress, Task } from '../src/api/types.ts'
import { shareOf, standingOf } from '../src/model/batch.ts'
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

it('shows what is moved of the bytes, of the messages where there are none, and of what no one has counted', () => {
  const share = (some: Partial<BatchFigures>) =>
    shareOf({ tasks: 4, uncounted: 0, bytes_done: 0, bytes_total: 0, messages_done: 0, messages_total: 0, ...some } as BatchFigures)
  expect(share({ bytes_done: 30, bytes_total: 100, messages_done: 9, messages_total: 10 })).toBe(30)
  expect(share({ messages_done: 9, messages_total: 10 })).toBe(90)
  expect(share({ bytes_done: 100, bytes_total: 100, uncounted: 2 })).toBe(50)
  expect(share({ uncounted: 4 })).toBe(null)
})
