// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest'
import { formatBytes, formatDuration, formatMoment, formatNumber, formatRelative } from '../src/model/format.ts'

const plain = (text: string) => text.replace(/\s/g, ' ')

it('writes sizes as the language does', () => {
  expect(plain(formatBytes(0, 'en'))).toBe('0 bytes')
  expect(plain(formatBytes(1_500, 'en'))).toBe('1.5 kB')
  expect(plain(formatBytes(1_500_000, 'de'))).toBe('1,5 MB')
  expect(plain(formatBytes(265_000_000, 'en'))).toBe('265 MB')
  expect(plain(formatBytes(3_200_000_000, 'fr'))).toBe('3,2 Go')
})

it('writes durations with two units at most', () => {
  expect(plain(formatDuration(7, 'en'))).toBe('7 sec')
  expect(plain(formatDuration(185, 'en'))).toBe('3 min 5 sec')
  expect(plain(formatDuration(120, 'en'))).toBe('2 min')
  expect(plain(formatDuration(7_830, 'en'))).toBe('2 hr 10 min')
})

it('leaves the year out of a moment of this year', () => {
  const now = Date.UTC(2026, 10, 23) / 1000
  expect(formatMoment(now - 86_400, now, 'en')).not.toContain('2026')
  expect(formatMoment(now - 400 * 86_400, now, 'en')).toContain('2025')
  expect(formatMoment(now - 86_400, now, 'de')).toMatch(/^2[12]\. Nov/)
})

it('writes numbers and distances in time', () => {
  expect(formatNumber(11374, 'de')).toBe('11.374')
  expect(formatRelative(300, 0, 'en')).toBe('in 5 minutes')
  expect(formatRelative(0, 7200, 'it')).toBe('2 ore fa')
})
