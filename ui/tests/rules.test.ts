// SPDX-License-Identifier: GPL-3.0-or-later
// The cases are those of the module's own tests of the same rules.
import { describe, expect, it } from 'vitest'
import type { Task } from '../src/api/types.ts'
import { emptyForm } from '../src/model/form.ts'
import { checkTask, isDays, isHost, isLocalUser, isPort, isRemoteUser, newTaskId, type TaskForm } from '../src/model/rules.ts'

describe('isLocalUser', () => {
  it.each(['administrator', 'U1', '1st.user', 'jörg', 'o_neil-x@rig.test', 'a+b', '_x', 'ñandú', '用户'])('takes %j', (name) =>
    expect(isLocalUser(name)).toBe(true),
  )
  it.each(['', '.', '..', '../x', 'a/b', 'a*vmail', '-rf', '.hidden', 'a b', 'a\nb', 'a\u0000', 'a?', '[a]', '$(x)', 'a;b', 'a%b', 'x'.repeat(129)])(
    'refuses %j',
    (name) => expect(isLocalUser(name)).toBe(false),
  )
})

describe('isHost', () => {
  it.each(['imap.foo.com', 'bücher.example', '127.0.0.3', '2001:db8::1', '[2001:db8::1]', 'localhost', 'mail_1.lan', 'imap.foo.com.'])('takes %j', (host) =>
    expect(isHost(host)).toBe(true),
  )
  it.each([
    '',
    'a b',
    '-x.y',
    'x-.y',
    'x..y',
    'a/b',
    'imap.foo.com:143',
    '1.2.3.4.5',
    '256.1.1.1',
    'a\nb',
    '[::1',
    '$(x)',
    `${'a'.repeat(64)}.com`,
    '.',
    'a.1',
    'imap.foo.com\u2028',
  ])('refuses %j', (host) => expect(isHost(host)).toBe(false))
})

it('knows ports, days and login names', () => {
  expect(['1', '993', '65535'].every(isPort)).toBe(true)
  expect(['', '0', '65536', '143x', '-1', '1.5', ' 143'].some(isPort)).toBe(false)
  expect(isDays('0') && isDays('30')).toBe(true)
  expect(isDays('-1') || isDays('') || isDays('1.5')).toBe(false)
  expect(isRemoteUser('a@b c*vmail') && isRemoteUser('ü'.repeat(256))).toBe(true)
  expect(isRemoteUser('ü'.repeat(257)) || isRemoteUser('a\tb') || isRemoteUser('')).toBe(false)
})

describe('checkTask', () => {
  const good: TaskForm = { ...emptyForm(), localuser: 'john', remotehostname: 'imap.foo.com', remoteusername: 'u', remotepassword: ' p ' }
  const stored = { ...good, task_id: 'x', remoteport: '993' } as unknown as Task
  const keys = (changes: Partial<TaskForm>, original: Task | null = null) =>
    checkTask({ ...good, ...changes }, { original }).map(({ parameter, error }) => `${parameter} ${error}`)

  it('takes a good form', () => expect(keys({})).toEqual([]))
  it.each<[Partial<TaskForm>, string]>([
    [{ localuser: '' }, 'localuser localuser_required'],
    [{ localuser: 'a*' }, 'localuser localuser_invalid'],
    [{ remotehostname: '' }, 'remotehostname remotehostname_required'],
    [{ remotehostname: 'a b' }, 'remotehostname remotehostname_invalid'],
    [{ remoteport: '0' }, 'remoteport remoteport_invalid'],
    [{ remoteusername: '' }, 'remoteusername remoteusername_required'],
    [{ remotepassword: '' }, 'remotepassword remotepassword_required'],
    [{ remotepassword: 'a\nb' }, 'remotepassword remotepassword_invalid'],
    [{ foldersynchronization: 'exclusion', exclude: 'a,,b' }, 'exclude exclude_empty'],
    [{ foldersynchronization: 'exclusion', exclude: '(' }, 'exclude exclude_invalid'],
    [{ delete_local: true, foldersynchronization: 'inbox' }, 'delete_local delete_local_with_inbox'],
    [{ delete_local: true, delete_remote: true }, 'delete_local delete_local_with_delete_remote'],
    [{ delete_remote: true, delete_remote_older: 'x' }, 'delete_remote_older delete_remote_older_invalid'],
    [{ cron: '61m' }, 'cron cron_invalid'],
    [{ bandwidth: '-1' }, 'bandwidth bandwidth_invalid'],
    [{ bandwidth: '10485761' }, 'bandwidth bandwidth_invalid'],
  ])('refuses %j', (changes, key) => expect(keys(changes)).toEqual([key]))
  it('does not look at patterns that do not count', () => expect(keys({ exclude: '(' })).toEqual([]))
  it('never sends a stored password to another account', () => {
    expect(keys({ remotepassword: '' }, stored)).toEqual([])
    for (const change of [{ remotehostname: 'other.com' }, { remoteport: '1993' }, { remoteusername: 'v' }]) {
      expect(keys({ remotepassword: '', ...change }, stored)).toEqual(['remotepassword password_required'])
    }
  })
})

it('makes ids that fit a file name', () => {
  const ids = Array.from({ length: 100 }, newTaskId)
  expect(ids.every((id) => /^[a-z0-9]{8}$/.test(id))).toBe(true)
  expect(new Set(ids).size).toBe(100)
})
