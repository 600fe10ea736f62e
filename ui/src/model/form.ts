// SPDX-License-Identifier: GPL-3.0-or-later
// A task as the form holds it, and as create-task takes it.
import type { Task, TaskInput } from '../api/types.ts'
import { invalidPattern } from './patterns.ts'
import { isDays, usualPort, type TaskForm } from './rules.ts'
import { isSchedule } from './schedule.ts'

/** What happens to mail that one side has and the other has not. */
export type Deletion = 'none' | 'local' | 'remote' | 'older'

export function emptyForm(): TaskForm {
  return {
    source: '',
    localuser: '',
    remoteusername: '',
    remotepassword: '',
    remotehostname: '',
    remoteport: usualPort('ssl'),
    security: 'ssl',
    foldersynchronization: 'all',
    exclude: '',
    sieve_enabled: false,
    delete_local: false,
    delete_remote: false,
    delete_remote_older: '0',
    cron: '',
    as_it_arrives: false,
  }
}

/** The form of a stored task; a copy is for another mailbox. */
export function formOf(task: Task, copy: boolean): TaskForm {
  return {
    source: task.source ?? '',
    localuser: copy ? '' : task.localuser,
    remoteusername: copy ? '' : task.remoteusername,
    remotepassword: '',
    remotehostname: task.remotehostname,
    remoteport: String(task.remoteport),
    security: task.security,
    foldersynchronization: task.foldersynchronization,
    exclude: task.exclude.replace(/^,/, ''),
    sieve_enabled: task.sieve_enabled,
    delete_local: task.delete_local,
    delete_remote: task.delete_remote,
    delete_remote_older: String(task.delete_remote_older ?? 0),
    cron: task.cron,
    as_it_arrives: task.as_it_arrives,
  }
}

/** The fields as create-task wants them; what does not count in the chosen mode is left empty. */
export function inputOf(form: TaskForm, taskId: string, signsIn = false): TaskInput {
  const { foldersynchronization: mode, exclude, sieve_enabled, delete_remote_older } = form
  const { source, localuser, remoteusername, remotehostname, remotepassword, remoteport, security, delete_local, delete_remote, cron, as_it_arrives } = form
  // A source knows its server, and most know how to sign in as well.
  const server = source ? { source } : { remotehostname, remoteport: Number(remoteport), security }
  return {
    ...server,
    ...(source && signsIn ? {} : { remotepassword }),
    localuser,
    remoteusername,
    delete_local,
    delete_remote,
    cron,
    as_it_arrives,
    task_id: taskId,
    foldersynchronization: mode,
    exclude: mode === 'exclusion' ? exclude : '',
    sieve_enabled: mode === 'inbox' && sieve_enabled,
    delete_remote_older: form.delete_remote ? Number(delete_remote_older) : 0,
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
