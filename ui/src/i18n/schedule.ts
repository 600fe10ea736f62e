// SPDX-License-Identifier: GPL-3.0-or-later
import { formatClock, formatWeekday } from '../model/format.ts'
import { parseSchedule, shiftDays, shiftOf, shiftTime } from '../model/schedule.ts'
import { locale, t, tn } from './index.ts'

/** How many minutes this browser's clock is ahead of the server's, which is UTC. */
export const clockOffset = (): number => -new Date().getTimezoneOffset()

/** A time of day of the server, as people here read it. */
export const hereAt = (minutes: number): string => formatClock(shiftTime(minutes, clockOffset()).minutes, locale())

/** A schedule in words: `every 5 minutes · 22:00 – 06:00 · Fri`. */
export function scheduleWords(cron: string): string {
  const schedule = parseSchedule(cron)
  const { unit, amount, time, window } = schedule
  if (unit === 'manual') return t('schedule.manual')
  const rhythm =
    unit === 'm' ? tn('schedule.every_minutes', amount) : unit === 'h' ? tn('schedule.every_hours', amount) : t('schedule.at', { time: hereAt(time) })
  const hours = window ? [`${hereAt(window[0] * 60)} – ${hereAt(window[1] * 60)}`] : []
  const days = shiftDays(schedule.days, shiftOf(schedule, clockOffset())).map((day) => formatWeekday(day, 'short', locale()))
  return [rhythm, ...hours, ...(days.length ? [days.join(', ')] : [])].join(' · ')
}
