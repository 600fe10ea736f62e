// SPDX-License-Identifier: GPL-3.0-or-later
import type { Security } from '../api/types.ts'

/** A provider whose server is known; what it demands is said by the message `preset.<id>.hint`. */
export interface Preset {
  id: 'generic' | 'gmail' | 'microsoft' | 'yahoo' | 'icloud' | 'dovecot'
  host: string
  security: Security
}

export const PRESETS: Preset[] = [
  { id: 'generic', host: '', security: 'ssl' },
  { id: 'gmail', host: 'imap.gmail.com', security: 'ssl' },
  { id: 'microsoft', host: 'outlook.office365.com', security: 'ssl' },
  { id: 'yahoo', host: 'imap.mail.yahoo.com', security: 'ssl' },
  { id: 'icloud', host: 'imap.mail.me.com', security: 'ssl' },
  { id: 'dovecot', host: '', security: 'tls' },
]

/** The preset that a stored task was made from, as far as its host tells. */
export function presetOf(host: string): Preset['id'] {
  return PRESETS.find((preset) => preset.host !== '' && preset.host === host.toLowerCase())?.id ?? 'generic'
}
