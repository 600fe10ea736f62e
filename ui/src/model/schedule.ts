// SPDX-License-Identifier: GPL-3.0-or-later
// When cron starts a task, and when next. Cron goes by the container's clock, which is UTC; people go by theirs, which is
// `offset` minutes ahead of it.

export type ScheduleUnit = 'manual' | 'm' | 'h' | 'time'

export interface Schedule {
  unit: ScheduleUnit
  /** Minutes or hours between two starts. */
  amount: number
  /** Minutes since midnight: the time of day. */
  time: number
  /** The first hour, and the first one after the last; null for all hours. */
  window: [number, number] | null
  /** 0 is Monday; those on which the window begins, or else those of the start. Every day when it is empty. */
  days: number[]
}

const LARGEST = { m: 60, h: 24 }
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
export const HOURS = [...Array(24).keys()]
export const WEEKDAYS = [...DAYS.keys()]
const A_DAY = 1440
const MANUAL: Schedule = { unit: 'manual', amount: 0, time: 0, window: null, days: [] }
const GRAMMAR = /^(?:([1-9]\d?)([mh])(?:@(\d{1,2})-(\d{1,2}))?|(\d{1,2}):([0-5]\d))(?:@(\w+(?:,\w+)*))?$/

const modulo = (value: number, by: number) => ((value % by) + by) % by

function read(text: string): Schedule | null {
  const parts = GRAMMAR.exec(text)
  if (text === '' || !parts) return text === '' ? MANUAL : null
  const [, amount, unit, from, to, hour, minute, names] = parts
  const days = [...new Set(names?.split(',').map((name) => DAYS.indexOf(name)))].sort()
  if (days.includes(-1)) return null
  const some = days.length === DAYS.length ? [] : days
  if (hour !== undefined) return Number(hour) < 24 ? { ...MANUAL, unit: 'time', time: Number(hour) * 60 + Number(minute), days: some } : null
  const window: [number, number] | null = from === undefined ? null : [Number(from), Number(to)]
  if (window && (window[0] === window[1] || Math.max(...window) > 23)) return null
  if (Number(amount) > LARGEST[unit as 'm' | 'h']) return null
  return { ...MANUAL, unit: unit as 'm' | 'h', amount: Number(amount), window, days: some }
}

/** `""`, `1m` to `60m`, `1h` to `24h` and those with hours (`5m@22-6`), or `22:30`; all of these with days (`5m@mon,fri`). */
export const isSchedule = (text: string): boolean => read(text) !== null

/** Reads the field `cron`; sixty minutes are an hour. */
export function parseSchedule(text: string): Schedule {
  const schedule = read(text) ?? MANUAL
  return schedule.unit === 'm' && schedule.amount === 60 ? { ...schedule, unit: 'h', amount: 1 } : schedule
}

/** Minutes since midnight as `07:05`. */
export const clock = (minutes: number): string => `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`

/** Days as they are written after a schedule; nothing for all. */
export const daysSuffix = (days: number[]): string => (days.length === DAYS.length ? '' : `@${days.map((day) => DAYS[day]).join(',')}`)

/** A time of day in the other clock, by how many days it moves, too. */
export function shiftTime(minutes: number, offset: number): { minutes: number; days: number } {
  return { minutes: modulo(minutes + offset, A_DAY), days: Math.floor((minutes + offset) / A_DAY) }
}

/** Days that are so many days later; every day stays what it is. */
export const shiftDays = (days: number[], by: number): number[] => days.map((day) => modulo(day + by, DAYS.length)).sort()

/** By how many days a schedule's days move in a clock that is ahead. */
export function shiftOf({ unit, time, window }: Schedule, offset: number): number {
  if (unit === 'time') return shiftTime(time, offset).days
  return window ? shiftTime(window[0] * 60, offset).days : 0
}

/** When cron starts next, in seconds; null without a schedule. Cron's step counts from the start of the hour or day. */
export function nextRun(cron: string, now: number): number | null {
  const { unit, amount, time, window, days } = parseSchedule(cron)
  if (unit === 'manual') return null
  const minute = Math.floor(now / 60) + 1
  const first = Math.floor(minute / 60)
  for (let hour = first; hour <= first + 8 * 24; hour++) {
    const ofDay = hour % 24
    const position = window ? modulo(ofDay - window[0], 24) : ofDay
    if (window && position >= modulo(window[1] - window[0], 24)) continue
    if (unit === 'h' ? position % amount !== 0 : unit === 'time' && ofDay !== Math.floor(time / 60)) continue
    // The first of January 1970 was a Thursday.
    const day = Math.floor(hour / 24) - (window && ofDay < window[0] ? 1 : 0)
    if (days.length > 0 && !days.includes(modulo(day + 3, 7))) continue
    const least = Math.max(0, minute - hour * 60)
    const within = unit === 'm' ? Math.ceil(least / amount) * amount : unit === 'h' ? 1 : time % 60
    if (within >= least && within < 60) return (hour * 60 + within) * 60
  }
  return null
}

/** Whether the last gap of each hour or day is shorter than the others. */
export function isUneven(cron: string): boolean {
  const { unit, amount, window } = parseSchedule(cron)
  return unit === 'm' ? 60 % amount !== 0 : unit === 'h' && !window && 24 % amount !== 0
}
