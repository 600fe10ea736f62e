// SPDX-License-Identifier: GPL-3.0-or-later
// A task as the form holds it, and as create-task takes it.
import { FIELDS } from '../api/facts.ts'
import type { Task, TaskInput } from '../api/types.ts'
import { invalidPattern } from './patterns.ts'
import { bandwidthText, isBandwidth, isDays, usualPort, type TaskForm } from './rules.ts'
import { isSchedule } from './schedule.ts'

/** What happens to mail that one side has and the other has not. */
export type Deletion = 'none' | 'local' | 'remote' | 'older'

/** A value for each field. */
export const formWith = (value: (field: (typeof FIELDS)[number]) => string | boolean): TaskForm =>
  Object.fromEntries(FIELDS.map((field) => [field.name, value(field)])) as unknown as TaskForm

export function emptyForm(): TaskForm {
  const blank = formWith((field) => (field.kind === 'flag' ? false : field.kind === 'choice' ? field.values[0] : ''))
  return { ...blank, security: 'ssl', remoteport: usualPort('ssl'), delete_remote_older: '0' }
}

/** The form of a stored task; a copy is for another mailbox. */
export function formOf(task: Task, copy: boolean): TaskForm {
  const stored = formWith(({ name, kind }) => (kind === 'flag' ? Boolean(task[name]) : String(task[name] ?? '')))
  return {
    ...stored,
    ...(copy ? { localuser: '', remoteusername: '' } : {}),
    remotepassword: '',
    exclude: task.exclude.replace(/^,/, ''),
    delete_remote_older: stored.delete_remote_older || '0',
    bandwidth: bandwidthText(task.bandwidth),
  }
}

/** The fields as create-task wants them; what does not count in the chosen mode is left empty. */
export function inputOf(form: TaskForm, taskId: string, signsIn = false): TaskInput {
  const { source, remotehostname, remotepassword, remoteport, security, ...settings } = form
  const { foldersynchronization: mode, exclude, sieve_enabled, delete_remote, delete_remote_older } = form
  // A source knows its server, and most know how to sign in as well.
  const server = source ? { source } : { remotehostname, remoteport: Number(remoteport), security }
  return {
    ...server,
    ...(source && signsIn ? {} : { remotepassword }),
    ...settings,
    task_id: taskId,
    exclude: mode === 'exclusion' ? exclude : '',
    sieve_enabled: mode === 'inbox' && sieve_enabled,
    delete_remote_older: delete_remote ? Number(delete_remote_older) : 0,
    bandwidth: Number(form.bandwidth),
  }
}

/** The same for a question about the account only: a fault elsewhere in the form does not hinder it. */
export function accountOf(form: TaskForm, taskId: string, signsIn = false): TaskInput {
  return inputOf(
    {
      ...form,
      exclude: invalidPattern(form.exclude) ? '' : form.exclude,
      cron: isSchedule(form.cron) ? form.cron : '',
      delete_local: false,
      delete_remote_older: isDays(form.delete_remote_older) ? form.delete_remote_older : '0',
      bandwidth: isBandwidth(form.bandwidth) ? form.bandwidth : '',
    },
    taskId,
    signsIn,
  )
}

export function deletionOf(form: TaskForm): Deletion {
  if (form.delete_local) return 'local'
  if (!form.delete_remote) return 'none'
  return Number(form.delete_remote_older) > 0 ? 'older' : 'remote'
}

/** What the administrator must type before a choice that deletes mail is saved; null when nothing. */
export function confirmationOf(form: TaskForm, original: Task | null): string | null {
  const deletion = deletionOf(form)
  if (deletion === 'none') return null
  const before = original ? formOf(original, false) : null
  const unchanged =
    before !== null &&
    deletionOf(before) === deletion &&
    before.delete_remote_older === form.delete_remote_older &&
    before.localuser === form.localuser &&
    before.remoteusername === form.remoteusername
  if (unchanged) return null
  return deletion === 'local' ? form.localuser : form.remoteusername
}
