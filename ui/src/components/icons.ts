// SPDX-License-Identifier: GPL-3.0-or-later
// Line icons drawn for this page, on a grid of 16.
export const ICONS = {
  add: 'M8 3v10M3 8h10',
  alert: 'M8 2 1.5 13.5h13zM8 6v4M8 11.5v.8',
  back: 'M7 3 2 8l5 5M2 8h12',
  check: 'M2.5 8.5 6 12l7.5-8',
  chevron: 'm4 6 4 4 4-4',
  clock: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4v4l3 2',
  close: 'm3.5 3.5 9 9m0-9-9 9',
  copy: 'M5 5V2.5h8.5V11H11M2.5 5H11v8.5H2.5z',
  download: 'M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11',
  edit: 'm10.5 2.5 3 3-8 8-3.5.5.5-3.5z',
  error: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5.5 5.5l5 5m0-5-5 5',
  info: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 7v4.5M8 4.3v.9',
  menu: 'M8 3v.1M8 8v.1M8 13v.1',
  minus: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5 8h6',
  next: 'm6 3 5 5-5 5',
  play: 'M4.5 2.5v11l9-5.5z',
  previous: 'm10 3-5 5 5 5',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5l3.5 3.5',
  sort: 'm5 6 3-3 3 3M5 10l3 3 3-3',
  down: 'M8 2.5v11M4 9.5l4 4 4-4',
  up: 'M8 13.5v-11M4 6.5l4-4 4 4',
  stop: 'M3.5 3.5h9v9h-9z',
  success: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5 8.2 7.2 10.5l4-5',
  trash: 'M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4M6.8 6.5v4.5M9.2 6.5v4.5',
  view: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  upload: 'M8 10.5v-8M4.5 6 8 2.5 11.5 6M2.5 13.5h11',
} as const

export type IconName = keyof typeof ICONS
