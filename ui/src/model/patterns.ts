// SPDX-License-Identifier: GPL-3.0-or-later
// Exclusion patterns: Perl-like expressions between commas, unanchored, case-sensitive.

/** The patterns of the field `exclude`; the comma that stored lists start with does not count. */
export function splitPatterns(exclude: string): string[] {
  const text = exclude.replace(/^,/, '')
  return text.trim() === '' ? [] : text.split(',').map((pattern) => pattern.trim())
}

export const joinPatterns = (patterns: string[]): string => patterns.join(',')

/** What the browser's own expressions lack; only the server can judge these. */
const BEYOND_BROWSER = /\(\?[>a-z-]*[)>]|\(\?P|\\[AzZGhHRXK]|\[\[:|[*+?}]\+/

/** The pattern as an expression of the browser; null when it is none, undefined when only the server knows. */
export function compilePattern(pattern: string): RegExp | null | undefined {
  const flags = pattern.startsWith('(?i)') ? 'iu' : 'u'
  // The strict mode takes escapes of special characters only; the server takes any punctuation.
  const source = pattern
    .replace(/^\(\?i\)/, '')
    .replace(/\\([\s\S])/g, (whole, char: string) => (/[\p{L}\p{N}^$\\.*+?()[\]{}|/-]/u.test(char) ? (char === '-' ? '\\x2d' : whole) : char))
  try {
    return new RegExp(source, flags)
  } catch {
    return BEYOND_BROWSER.test(pattern) ? undefined : null
  }
}

/** The refusal that the list of patterns deserves, if any. */
export function invalidPattern(exclude: string): 'exclude_invalid' | 'exclude_empty' | null {
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(exclude)) return 'exclude_invalid'
  const patterns = splitPatterns(exclude)
  if (patterns.includes('')) return 'exclude_empty'
  return patterns.some((pattern) => compilePattern(pattern) === null) ? 'exclude_invalid' : null
}

/** A pattern that hits the folder of that name and no other; a comma would end it. */
export function exactPattern(folder: string): string {
  return `^${folder
    .replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    .replaceAll(',', '\\x2c')
    .replace(/^ | $/g, '\\x20')}$`
}

/** The names among `folders` that the patterns hit. */
export function excludedFolders(exclude: string, folders: string[]): Set<string> {
  const expressions = splitPatterns(exclude)
    .filter((pattern) => pattern !== '')
    .map(compilePattern)
    .filter((expression) => expression instanceof RegExp)
  return new Set(folders.filter((folder) => expressions.some((expression) => expression.test(folder))))
}

/** Adds or removes the exact pattern of a folder. */
export function toggleFolder(exclude: string, folder: string): string {
  const pattern = exactPattern(folder)
  const patterns = splitPatterns(exclude).filter((other) => other !== '')
  return joinPatterns(patterns.includes(pattern) ? patterns.filter((other) => other !== pattern) : [...patterns, pattern])
}
