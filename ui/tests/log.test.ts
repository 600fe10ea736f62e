// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { filterLog, readLog } from '../src/model/log.ts'

describe('problems', () => {
  it.each([
    'Could not append message UID 17 to Drafts: NO [LIMIT] Message too large',
    'Host1 failure: can not open imap connection on host1',
    'Exiting with return value 111 (EXIT_WITH_ERRORS)',
    'Detected 3 errors',
    'Folder Drafts: copied 148, skipped 2068, failed 1',
  ])('%j is one', (text) => expect(readLog(text)[0]!.problem).toBe(true))
  it.each(['Messages transferred : 12', 'Detected 0 errors', 'Exiting with return value 0 (EX_OK)', 'Folder INBOX: copied 3, skipped 0, failed 0'])(
    '%j is none', (text) => expect(readLog(text)[0]!.problem).toBe(false))
})

it('numbers the lines and keeps the numbers when filtering', () => {
  const lines = readLog('one\nTwo error\nthree\n')
  expect(lines).toHaveLength(3)
  expect(filterLog(lines, 'T', false).map((line) => line.number)).toEqual([2, 3])
  expect(filterLog(lines, '', true).map((line) => line.number)).toEqual([2])
})

it('reads an empty log as no line', () => expect(readLog('')).toEqual([]))

