// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { compilePattern, exactPattern, excludedFolders, invalidPattern, splitPatterns, toggleFolder } from '../src/model/patterns.ts'

const hits = (exclude: string, ...folders: string[]) => [...excludedFolders(exclude, folders)]

it('splits at commas; blanks around them and the stored leading comma do not count', () => {
  expect(splitPatterns(' folder1 , ^folder3$ ')).toEqual(['folder1', '^folder3$'])
  expect(splitPatterns(',Work,Spam')).toEqual(['Work', 'Spam'])
  expect(splitPatterns('')).toEqual([])
  expect(splitPatterns('Sp.{1,2}m,b')).toEqual(['Sp.{1,2}m', 'b'])
  expect(splitPatterns('[a,b],[],],c')).toEqual(['[a,b]', '[],]', 'c'])
  expect(splitPatterns('^(a,b|(c,d)[)],)$,e')).toEqual(['^(a,b|(c,d)[)],)$', 'e'])
  expect(splitPatterns('a\\,b,(c,d')).toEqual(['a\\,b', '(c', 'd'])
  expect(splitPatterns(' ')).toEqual([])
})

it('matches anywhere and minds the case', () => {
  expect(hits('Spam,^Work$', 'Old/Spam/2020', 'Work', 'Work/Sub', 'spam')).toEqual(['Old/Spam/2020', 'Work'])
  expect(hits('(?i)^spam$', 'SPAM')).toEqual(['SPAM'])
  expect(hits('Gelöscht', 'Gelöschte Objekte')).toEqual(['Gelöschte Objekte'])
})

it('takes a pattern for a name where a folder is called so', () => {
  const gmail = ['[Gmail]/All Mail', '[Gmail]/Spam', 'Mail', 'Familie']
  expect(hits('[Gmail]/All Mail', ...gmail)).toEqual(['[Gmail]/All Mail'])
  expect(hits('[Gmail]', ...gmail)).toEqual(['[Gmail]/All Mail', '[Gmail]/Spam'])
  expect(hits('[FM]', ...gmail)).toEqual(['[Gmail]/All Mail', 'Mail', 'Familie'])
})

describe('invalidPattern', () => {
  it.each(['a,,b', 'a,', 'a, ,b'])('%j has an empty pattern', (text) => expect(invalidPattern(text)).toBe('exclude_empty'))
  it.each(['(', '[', '*', 'a\nb', 'ok,a{2'])('%j is no expression', (text) => expect(invalidPattern(text)).toBe('exclude_invalid'))
  it.each(['', 'a', 'Work/.*', 'a\\-b', "it\\'s", '(?!x)y', '(?>a)', '\\Aa'])('%j is taken', (text) => expect(invalidPattern(text)).toBeNull())
})

it('leaves to the server what the browser cannot judge', () => {
  expect(compilePattern('(?>a)')).toBeUndefined()
  expect(compilePattern('(')).toBeNull()
})

describe('exactPattern', () => {
  it.each(['INBOX', 'Work/Acme, Inc.', 'a.b', '[Gmail]/All Mail', 'C++', 'x|y', '$x^', 'back\\slash', 'Förder', ' edge ', 'a-b'])(
    'of %j hits that folder and no other',
    (folder) => {
      const others = ['INBOX2', 'aXb', `${folder}/Sub`, `x${folder}`]
      expect(hits(exactPattern(folder), folder, ...others)).toEqual([folder])
      expect(invalidPattern(exactPattern(folder))).toBeNull()
    },
  )
})

it('toggles a folder and leaves other patterns alone', () => {
  const on = toggleFolder('Spam', 'Work, old')
  expect(on).toBe('Spam,^Work\\x2c old$')
  expect(toggleFolder(on, 'Work, old')).toBe('Spam')
})
