// SPDX-License-Identifier: GPL-3.0-or-later
import type { Found } from '../api/types.ts'
import { formatNumber } from '../model/format.ts'
import { locale, t } from './index.ts'

/** How many mailboxes agree, differ, and could not be compared; nothing where none was. */
export function verificationWords(rows: Found[]): string {
  const statuses = rows.flatMap(({ verification }) => (verification ? [verification.status] : []))
  if (statuses.length === 0) return ''
  const of = (status: string) => statuses.filter((one) => one === status).length
  const [agree, differ] = [of('agree'), of('differ')]
  const words = (value: number) => formatNumber(value, locale())
  return t('verify.batch_agree', { agree: words(agree), differ: words(differ), failed: words(statuses.length - agree - differ) })
}
