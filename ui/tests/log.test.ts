// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest'
import { filterLog, readLog } from '../src/model/log.ts'

it('marks the lines that the module names, whatever words are in others', () => {
  const lines = readLog({ log_content: 'Error: one\r\ntwo\nthree\n', problems: [2] })
  expect(lines).toEqual([
    { number: 1, text: 'Error: one', problem: false },
    { number: 2, text: 'two', problem: true },
    { number: 3, text: 'three', problem: false },
  ])
})

it('numbers the lines and keeps the numbers when filtering', () => {
  const lines = readLog({ log_content: 'one\nTwo error\nthree\n', problems: [2] })
  expect(lines).toHaveLength(3)
  expect(filterLog(lines, 'T', false).map((line) => line.number)).toEqual([2, 3])
  expect(filterLog(lines, '', true).map((line) => line.number)).toEqual([2])
})

it('reads an empty log as no line', () => expect(readLog({ log_content: '' })).toEqual([]))
