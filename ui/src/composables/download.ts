// SPDX-License-Identifier: GPL-3.0-or-later

/** Hands a text to the browser as a file; the mark lets spreadsheets read every script. */
export function download(name: string, text: string, type: string): void {
  const mark = type === 'text/csv' ? '\ufeff' : ''
  const url = URL.createObjectURL(new Blob([mark + text], { type: `${type};charset=utf-8` }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
