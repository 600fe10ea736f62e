// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest'
import { FIELDS } from '../src/api/facts.ts'
import type { Task } from '../src/api/types.ts'
import { accountOf, confirmationOf, deletionOf, emptyForm, formOf, inputOf } from '../src/model/form.ts'
import { presetOf } from '../src/model/presets.ts'

const stored = {
  localuser: 'john',
  task_id: 'a',
  remoteusername: 'j@old',
  remotehostname: 'imap.x',
  remoteport: '143',
  security: 'tls',
  exclude: ',Spam',
  foldersynchronization: 'exclusion',
  sieve_enabled: true,
  delete_local: true,
  delete_remote: false,
  delete_remote_older: 0,
  bandwidth: 200,
  cron: '5m',
} as Task

it('sends what counts in the chosen mode only', () => {
  const form = { ...formOf(stored, false), delete_remote_older: '30' }
  expect(inputOf(form, 'a')).toMatchObject({
    task_id: 'a',
    remoteport: 143,
    exclude: 'Spam',
    sieve_enabled: false,
    delete_remote_older: 0,
    bandwidth: 200,
  })
  expect(inputOf({ ...form, foldersynchronization: 'inbox', delete_remote: true }, 'a')).toMatchObject({
    exclude: '',
    sieve_enabled: true,
    delete_remote_older: 30,
  })
})

it('holds and sends every field that is on or off', () => {
  const flags = FIELDS.filter((field) => field.kind === 'flag').map((field) => field.name)
  const on = { ...stored, ...Object.fromEntries(flags.map((name) => [name, true])), foldersynchronization: 'inbox' } as Task
  expect(inputOf(formOf(on, false), 'a')).toMatchObject(Object.fromEntries(flags.map((name) => [name, true])))
})

it('holds no limit as an empty field, and sends that as 0', () => {
  const unlimited = formOf({ ...stored, bandwidth: 0 }, false)
  expect(unlimited.bandwidth).toBe('')
  expect(inputOf(unlimited, 'a').bandwidth).toBe(0)
})

it('asks about an account whatever is wrong elsewhere', () => {
  expect(accountOf({ ...formOf(stored, false), exclude: '(', cron: '99m', bandwidth: 'x' }, 'a')).toMatchObject({
    exclude: '',
    cron: '',
    delete_local: false,
    bandwidth: 0,
  })
})

it('copies a task for another mailbox', () => {
  expect(formOf(stored, true)).toMatchObject({ localuser: '', remoteusername: '', remotepassword: '', remotehostname: 'imap.x', cron: '5m' })
})

it('names the deletion', () => {
  const form = emptyForm()
  expect(deletionOf(form)).toBe('none')
  expect(deletionOf({ ...form, delete_local: true })).toBe('local')
  expect(deletionOf({ ...form, delete_remote: true })).toBe('remote')
  expect(deletionOf({ ...form, delete_remote: true, delete_remote_older: '3' })).toBe('older')
})

it('has a new deletion typed out, and no old one', () => {
  const form = formOf(stored, false)
  expect(confirmationOf(form, stored)).toBeNull()
  expect(confirmationOf(form, null)).toBe('john')
  expect(confirmationOf({ ...form, delete_local: false, delete_remote: true }, stored)).toBe('j@old')
  expect(confirmationOf({ ...form, delete_local: false }, stored)).toBeNull()
})

it('recognises a provider by its host', () => {
  expect(presetOf('IMAP.gmail.com')).toBe('gmail')
  expect(presetOf('imap.gmail.com.evil.example')).toBe('generic')
})
