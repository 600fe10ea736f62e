// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { isSchedule, isUneven, nextRun, parseSchedule } from '../src/model/schedule.ts'

it('knows the grammar', () => {
  expect(['', '1m', '5m', '59m', '60m', '1h', '24h'].every(isSchedule)).toBe(true)
  for (const text of ['0m', '05m', '61m', '25h', '5', 'm', '5d', '-5m', '5 m', '5m\n', '+5m', '300m', '٥m']) {
    expect(isSchedule(text), text).toBe(false)
  }
})

it('takes sixty minutes for an hour', () => expect(parseSchedule('60m')).toEqual({ unit: 'h', amount: 1 }))

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
  ])('%s after %i', (cron, now, next) => expect(nextRun(cron, now)).toBe(next))
  it('and never without a schedule', () => expect(nextRun('', 0)).toBeNull())
})

it('tells when the last gap is shorter', () => {
  expect(isUneven('7m') && isUneven('5h')).toBe(true)
  expect(isUneven('5m') || isUneven('12h') || isUneven('')).toBe(false)
})
