// SPDX-License-Identifier: GPL-3.0-or-later
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { filterLog, readLog } from '../src/model/log.ts'

describe('problems', () => {
  it.each([
    'Could not append message UID 17 to Drafts: NO [LIMIT] Message too large',
    'Host1 failure: can not open imap connection on host1',
    'Exiting with return value 111 (EXIT_WITH_ERRORS)',
    'Detected 3 errors',
    'Folder Drafts: copied 148, skipped 2068, failed 1',
    'Folder [Drafts] -> [Drafts]: 148 copied, 2068 already there, 2 failed, 0 flags, 0 deleted locally, 0 deleted remotely',
    'Messages failed                         : 3',
    'Error: message Drafts/17 <a@b>: NO [LIMIT] Message too large',
    'Err 1/2: Host1 failure: Error login on [imap.example.com]',
  ])('%j is one', (text) => expect(readLog(text)[0]!.problem).toBe(true))
  it.each([
    'Messages transferred : 12',
    'Detected 0 errors',
    'Exiting with return value 0 (EX_OK)',
    'Folder INBOX: copied 3, skipped 0, failed 0',
    'Folder [Errors] -> [Errors]: 3 copied, 0 already there, 0 failed, 0 flags, 0 deleted locally, 0 deleted remotely',
    'Messages failed                         : 0',
    'Host1: folder [Warnings: failed] has 4 messages',
    'Host1: use --timeout to change it',
    'Exiting with return value 143 (EXIT_BY_SIGNAL)',
  ])('%j is none', (text) => expect(readLog(text)[0]!.problem).toBe(false))
})

it('has no problem in a run that ended well', () => {
  const imapsync = readFileSync(new URL('../../src/sync/imapsync/fixtures/ok.log', import.meta.url), 'utf8')
  expect(readLog(imapsync).filter((line) => line.problem)).toEqual([])
})

it('numbers the lines and keeps the numbers when filtering', () => {
  const lines = readLog('one\nTwo error\nthree\n')
  expect(lines).toHaveLength(3)
  expect(filterLog(lines, 'T', false).map((line) => line.number)).toEqual([2, 3])
  expect(filterLog(lines, '', true).map((line) => line.number)).toEqual([2])
})

it('reads an empty log as no line', () => expect(readLog('')).toEqual([]))
