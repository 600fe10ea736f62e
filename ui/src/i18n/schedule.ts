// SPDX-License-Identifier: GPL-3.0-or-later
import { parseSchedule } from '../model/schedule.ts'
import { t, tn } from './index.ts'

/** A schedule in words: `every 5 minutes`. */
export function scheduleWords(cron: string): string {
  const { unit, amount } = parseSchedule(cron)
  if (unit === 'manual') return t('schedule.manual')
  return unit === 'm' ? tn('schedule.every_minutes', amount) : tn('schedule.every_hours', amount)
}
