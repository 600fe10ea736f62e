// SPDX-License-Identifier: GPL-3.0-or-later
// What the actions refuse is refused in the form first, by the same rules and under the same keys.
import type { FIELDS } from '../api/facts.ts'
import type { ParameterError, Security, Task } from '../api/types.ts'
import { invalidPattern } from './patterns.ts'
import { isSchedule } from './schedule.ts'

type Field = (typeof FIELDS)[number]
/** What the form holds of a field: truth values, one of its choices, or a text as it was typed. */
type Filled<One extends Field> = One extends { values: readonly (infer Choice)[] } ? Choice : One['kind'] extends 'flag' ? boolean : string

/** The fields an administrator fills in. */
export type TaskForm = { [One in Field as One['name']]: Filled<One> }

const LONGEST_USER = 128
const LONGEST_REMOTE_USER = 512
/** Line breaks, NUL and the like can never reach a file. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/
const bytes = (text: string) => new TextEncoder().encode(text).length

/** A user of the local mail server; it becomes part of file names. */
export const isLocalUser = (text: string): boolean => /^[\p{Alphabetic}\p{N}_@+=][\p{Alphabetic}\p{N}._\-@+=]*$/u.test(text) && bytes(text) <= LONGEST_USER

/** A login name on the remote server. */
export const isRemoteUser = (text: string): boolean => text !== '' && !CONTROL.test(text) && bytes(text) <= LONGEST_REMOTE_USER

export const isPassword = (text: string): boolean => !CONTROL.test(text)

/** A DNS name (an international one too) or an IP address. */
export function isHost(text: string): boolean {
  if (text === '' || CONTROL.test(text)) return false
  const bare = /^\[(.*)\]$/.exec(text)
  if (bare || text.includes(':')) return isIpv6(bare ? bare[1]! : text)
  if (/^\d+(\.\d+)*$/.test(text)) return isIpv4(text)
  if (!/^[\p{L}\p{M}\p{N}_.-]+$/u.test(text)) return false
  let name = text
  // The browser's own IDNA; underscores occur in real internal names.
  if (/[^\x20-\x7e]/.test(text)) {
    try {
      name = new URL(`http://${text}`).hostname
    } catch {
      return false
    }
  }
  name = name.replace(/\.$/, '')
  const labels = name.split('.')
  const digitsLast = /^\d*$/.test(labels.at(-1)!)
  return name.length <= 253 && !digitsLast && labels.every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/i.test(label))
}

const isIpv4 = (text: string): boolean => {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  if (!/^[0-9a-f:.]+$/i.test(text)) return false
  try {
    return new URL(`http://[${text}]`).hostname.length > 0
  } catch {
    return false
  }
}

export const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535

/** Days; 0 is at once. */
export const isDays = (text: string): boolean => /^\d{1,9}$/.test(text)

const MOST_BANDWIDTH = 10 * 1024 * 1024

/** A number of KiB a second; nothing, or 0, is no limit. */
export const isBandwidth = (text: string): boolean => /^\d{0,8}$/.test(text.trim()) && Number(text) <= MOST_BANDWIDTH

/** A stored limit as fields hold it. */
export const bandwidthText = (limit: number | undefined): string => (limit ? String(limit) : '')

/** What the rules depend on in addition to the form. */
export interface TaskContext {
  /** The task that is edited, or null for a new one. */
  original: Task | null
  /** Whether the chosen source signs in by itself. */
  signsIn?: boolean
}

/** Whether a stored password may be used: it is never sent to another account. */
export function sameAccount(form: TaskForm, task: Task): boolean {
  return form.remoteusername === task.remoteusername && form.remotehostname === task.remotehostname && form.remoteport === String(task.remoteport)
}

/** Every refusal of the form, in the order of its fields. */
export function checkTask(form: TaskForm, { original, signsIn = false }: TaskContext): ParameterError[] {
  const errors: ParameterError[] = []
  const refuse = (parameter: string, error: string) => errors.push({ parameter, error })

  if (form.localuser === '') refuse('localuser', 'localuser_required')
  else if (!isLocalUser(form.localuser)) refuse('localuser', 'localuser_invalid')
  if (form.source === '') {
    if (form.remotehostname === '') refuse('remotehostname', 'remotehostname_required')
    else if (!isHost(form.remotehostname)) refuse('remotehostname', 'remotehostname_invalid')
    if (!isPort(form.remoteport)) refuse('remoteport', 'remoteport_invalid')
  }
  if (form.remoteusername === '') refuse('remoteusername', 'remoteusername_required')
  else if (!isRemoteUser(form.remoteusername)) refuse('remoteusername', 'remoteusername_invalid')
  if (!signsIn) {
    if (!isPassword(form.remotepassword)) refuse('remotepassword', 'remotepassword_invalid')
    else if (form.remotepassword === '' && (!original || !sameAccount(form, original))) {
      refuse('remotepassword', original ? 'password_required' : 'remotepassword_required')
    }
  }
  if (form.foldersynchronization === 'exclusion') {
    const pattern = invalidPattern(form.exclude)
    if (pattern) refuse('exclude', pattern)
  }
  if (form.delete_local && form.foldersynchronization === 'inbox') refuse('delete_local', 'delete_local_with_inbox')
  else if (form.delete_local && form.delete_remote) refuse('delete_local', 'delete_local_with_delete_remote')
  if (form.delete_remote && !isDays(form.delete_remote_older)) {
    refuse('delete_remote_older', 'delete_remote_older_invalid')
  }
  if (form.cron !== '' && !isSchedule(form.cron)) refuse('cron', 'cron_invalid')
  if (!isBandwidth(form.bandwidth)) refuse('bandwidth', 'bandwidth_invalid')
  return errors
}

/** The port that goes with an encryption. */
export const usualPort = (security: Security): string => (security === 'ssl' ? '993' : '143')

/** An id for a new task. */
export function newTaskId(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => letters[byte % letters.length]).join('')
}
