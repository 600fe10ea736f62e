// SPDX-License-Identifier: GPL-3.0-or-later
// Exclusion patterns: Perl-like expressions between commas, unanchored, case-sensitive.

/** The length of `[…]`, of which a `]` at the beginning is one character, and so is all of `[:alpha:]`. */
function classLength(text: string): number | null {
  const found = /^\[\^?\]?(?:\[:\^?[a-z]+:\]|\\[\s\S]|[^\]\\])*\]/u.exec(text)
  return found ? found[0].length : null
}

/**
 * The patterns of the field `exclude`; the comma that stored lists start with does not count, nor does one inside
 * `{1,2}`, `[a,b]` or `(a,b)` or behind a backslash. What is not closed protects none.
 */
export function splitPatterns(exclude: string): string[] {
  const text = exclude.replace(/^,/, '')
  if (text.trim() === '') return []
  let commas: number[] = []
  const open: number[] = []
  for (let at = 0; at < text.length;) {
    let length = 1
    if (text[at] === ',') commas.push(at)
    else if (text[at] === '(') open.push(at)
    else if (text[at] === ')') {
      const start = open.pop()
      if (start !== undefined) commas = commas.filter((comma) => comma < start)
    } else if (text[at] === '\\') length = 2
    else if (text[at] === '[') length = classLength(text.slice(at)) ?? 1
    else if (text[at] === '{') length = /^\{[\d,]*\}/.exec(text.slice(at))?.[0].length ?? 1
    at += length
  }
  const ends = [...commas, text.length]
  return ends.map((end, at) => text.slice(at === 0 ? 0 : ends[at - 1]! + 1, end).trim())
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

const METACHARACTERS = /[\\^$.*+?()[\]{}|]/

const isAtOrBelow = (folder: string, name: string): boolean => folder === name || folder.startsWith(`${name}/`) || folder.startsWith(`${name}.`)

/** The names among `folders` that the patterns hit. A pattern that is literally a folder's name means what is below it too. */
export function excludedFolders(exclude: string, folders: string[]): Set<string> {
  const tests = splitPatterns(exclude)
    .filter((pattern) => pattern !== '')
    .map((pattern) => {
      if (METACHARACTERS.test(pattern) && folders.some((folder) => isAtOrBelow(folder, pattern))) return (folder: string) => isAtOrBelow(folder, pattern)
      const expression = compilePattern(pattern)
      return (folder: string) => expression instanceof RegExp && expression.test(folder)
    })
  return new Set(folders.filter((folder) => tests.some((test) => test(folder))))
}

/** Adds or removes the exact pattern of a folder. */
export function toggleFolder(exclude: string, folder: string): string {
  const pattern = exactPattern(folder)
  const patterns = splitPatterns(exclude).filter((other) => other !== '')
  return joinPatterns(patterns.includes(pattern) ? patterns.filter((other) => other !== pattern) : [...patterns, pattern])
}
