// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers, sizes and times as the administrator's language writes them.

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']

export function formatNumber(value: number, locale: string): string {
  return new Intl.NumberFormat(locale).format(value)
}

export function formatBytes(bytes: number, locale: string): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: UNITS[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value)
}

export function formatDateTime(seconds: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(seconds * 1000)
}

/** A day that a text names as 2027-05-31. */
export const formatDate = (day: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' }).format(Date.parse(`${day}T00:00:00Z`))

/** A time of today, to the second. */
export const formatTime = (seconds: number, locale: string): string => new Intl.DateTimeFormat(locale, { timeStyle: 'medium' }).format(seconds * 1000)

/** A time of day, to the minute. */
export const formatTimeOfDay = (seconds: number, locale: string): string => new Intl.DateTimeFormat(locale, { timeStyle: 'short' }).format(seconds * 1000)

/** The same with the day of the week. */
export const formatDayAndTime = (seconds: number, locale: string): string =>
  new Intl.DateTimeFormat(locale, { weekday: 'short', hour: 'numeric', minute: '2-digit' }).format(seconds * 1000)

/** A moment as fields for a date and a time hold it, in this browser's clock. */
export const inputMoment = (moment: Date): string => new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)

/** Minutes since midnight as a time of day. */
export const formatClock = (minutes: number, locale: string): string =>
  new Intl.DateTimeFormat(locale, { timeStyle: 'short', timeZone: 'UTC' }).format(minutes * 60_000)

/** A day of the week, of which Monday is 0. */
export const formatWeekday = (day: number, weekday: 'long' | 'short', locale: string): string =>
  new Intl.DateTimeFormat(locale, { weekday, timeZone: 'UTC' }).format(Date.UTC(2024, 0, 1 + day))

/** A moment in a table: the year only where it is another one than now. */
export function formatMoment(seconds: number, now: number, locale: string): string {
  const moment = new Date(seconds * 1000)
  const year = moment.getFullYear() === new Date(now * 1000).getFullYear() ? undefined : 'numeric'
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year, hour: 'numeric', minute: '2-digit' }).format(moment)
}

/** `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function formatDuration(seconds: number, locale: string): string {
  const rounded = Math.max(0, Math.round(seconds))
  const parts: [number, string][] =
    rounded >= 3600
      ? [
          [Math.floor(rounded / 3600), 'hour'],
          [Math.floor((rounded % 3600) / 60), 'minute'],
        ]
      : rounded >= 60
        ? [
            [Math.floor(rounded / 60), 'minute'],
            [rounded % 60, 'second'],
          ]
        : [[rounded, 'second']]
  return parts
    .filter(([value], at) => at === 0 || value > 0)
    .map(([value, unit]) => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }).format(value))
    .join(' ')
}

/** `in 5 minutes`, `3 hours ago`. */
export function formatRelative(seconds: number, now: number, locale: string): string {
  const delta = seconds - now
  const size = Math.abs(delta)
  const [divisor, unit]: [number, Intl.RelativeTimeFormatUnit] =
    size < 60 ? [1, 'second'] : size < 5400 ? [60, 'minute'] : size < 129_600 ? [3600, 'hour'] : [86_400, 'day']
  return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(Math.round(delta / divisor), unit)
}
