// SPDX-License-Identifier: GPL-3.0-or-later

/** Hands a text to the browser as a file. */
export function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

/** The same for a table; the mark in front lets spreadsheets read every script. */
export const downloadTable = (name: string, text: string): void => download(name, `\ufeff${text}`, 'text/csv')
