// SPDX-License-Identifier: GPL-3.0-or-later
// How often cron starts a task, and when next.

export type ScheduleUnit = 'manual' | 'm' | 'h'

export interface Schedule {
  unit: ScheduleUnit
  amount: number
}

const LARGEST = { m: 60, h: 24 }

/** `""`, `1m` to `60m`, `1h` to `24h`. */
export function isSchedule(text: string): boolean {
  const parts = /^([1-9]\d*)([mh])$/.exec(text)
  return text === '' || (parts !== null && Number(parts[1]) <= LARGEST[parts[2] as 'm' | 'h'])
}

/** Reads the field `cron`; sixty minutes are an hour. */
export function parseSchedule(text: string): Schedule {
  if (text === '' || !isSchedule(text)) return { unit: 'manual', amount: 0 }
  if (text === '60m') return { unit: 'h', amount: 1 }
  return { unit: text.slice(-1) as 'm' | 'h', amount: Number(text.slice(0, -1)) }
}

/**
 * When cron starts next, in seconds; null without a schedule. Cron's step counts from the start of the
 * hour or day, in the container's clock, which is UTC.
 */
export function nextRun(cron: string, now: number): number | null {
  const { unit, amount } = parseSchedule(cron)
  if (unit === 'manual') return null
  const minute = Math.floor(now / 60) + 1
  if (unit === 'm') {
    const hour = Math.floor(minute / 60)
    const next = Math.ceil((minute % 60) / amount) * amount
    return (next < 60 ? hour * 60 + next : (hour + 1) * 60) * 60
  }
  const hour = Math.ceil((minute - 1) / 60)
  const day = Math.floor(hour / 24)
  const next = Math.ceil((hour % 24) / amount) * amount
  return ((next < 24 ? day * 24 + next : (day + 1) * 24) * 60 + 1) * 60
}

/** Whether the last gap of each hour or day is shorter than the others. */
export function isUneven(cron: string): boolean {
  const { unit, amount } = parseSchedule(cron)
  return unit !== 'manual' && (unit === 'm' ? 60 : 24) % amount !== 0
}
