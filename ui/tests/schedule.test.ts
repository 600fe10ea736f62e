// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { clock, daysSuffix, isSchedule, isUneven, nextRun, parseSchedule, shiftDays, shiftOf, shiftTime } from '../src/model/schedule.ts'

it('knows the grammar', () => {
  for (const text of ['', '1m', '5m', '59m', '60m', '1h', '24h', '22:30', '7:05@fri', '5m@22-6', '2h@22-06@mon,tue', '5m@sun']) {
    expect(isSchedule(text), text).toBe(true)
  }
  for (const text of ['0m', '05m', '61m', '25h', '5', 'm', '5d', '-5m', '5 m', '5m\n', '+5m', '300m', '٥m']) {
    expect(isSchedule(text), text).toBe(false)
  }
  for (const text of ['24:00', '7:5', '07:60', '22:30@22-6', '5m@', '5m@22', '5m@22-22', '5m@24-6', '5m@mon@22-6', '5m@monday', '5m@mon,', '@mon', ':']) {
    expect(isSchedule(text), text).toBe(false)
  }
})

it('takes sixty minutes for an hour, and all days for none', () => {
  expect(parseSchedule('60m')).toEqual(parseSchedule('1h'))
  expect(parseSchedule('5m@sun,mon,tue,wed,thu,fri,sat')).toEqual(parseSchedule('5m'))
  expect(parseSchedule('15m@22-6@fri,mon')).toEqual({ unit: 'm', amount: 15, time: 0, window: [22, 6], days: [0, 4] })
  expect(parseSchedule('7:05@sun')).toEqual({ unit: 'time', amount: 0, time: 425, window: null, days: [6] })
})

describe('nextRun is the first matching minute', () => {
  const [minute, hour, day] = [60, 3600, 86_400]
  it.each([
    ['5m', 0, 5 * minute],
    ['5m', 5 * minute, 10 * minute],
    ['7m', 57 * minute, hour],
    ['1h', 0, minute],
    ['1h', minute, hour + minute],
    ['2h', 90 * minute, 2 * hour + minute],
    ['5h', 21 * hour, day + minute],
    ['24h', 2 * minute, day + minute],
    ['22:30', 22 * hour + 30 * minute, day + 22 * hour + 30 * minute],
    // The first day was a Thursday.
    ['00:00@wed', 0, 6 * day],
    ['5h@22-6', 22 * hour + minute, day + 3 * hour + minute],
    ['30m@22-2@thu', 0, 22 * hour],
    ['30m@22-2@thu', day + hour, day + hour + 30 * minute],
    ['30m@22-2@thu', day + 2 * hour, 7 * day + 22 * hour],
  ])('%s after %i', (cron, now, next) => expect(nextRun(cron, now)).toBe(next))
  it('and never without a schedule', () => expect(nextRun('', 0)).toBeNull())
})

it('tells when the last gap is shorter', () => {
  expect(isUneven('7m') && isUneven('5h')).toBe(true)
  expect(isUneven('5m') || isUneven('12h') || isUneven('') || isUneven('5h@22-6') || isUneven('22:30')).toBe(false)
})

it('moves times and days to another clock and back', () => {
  expect(shiftTime(23 * 60 + 30, 60)).toEqual({ minutes: 30, days: 1 })
  expect(shiftTime(30, -60)).toEqual({ minutes: 23 * 60 + 30, days: -1 })
  expect(shiftDays([0, 6], 1)).toEqual([0, 1])
  expect([shiftOf(parseSchedule('23:30@mon'), 60), shiftOf(parseSchedule('5m@23-2@mon'), 60), shiftOf(parseSchedule('5m@mon'), 60)]).toEqual([1, 1, 0])
  expect([clock(425), daysSuffix([0, 4]), daysSuffix([0, 1, 2, 3, 4, 5, 6])]).toEqual(['07:05', '@mon,fri', ''])
})
