// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { decode, detectDelimiter, parse, serialize } from '../src/model/csv.ts'

const cells = (text: string, delimiter = ',') => parse(text, delimiter).rows.map((row) => row.cells)

describe('decode', () => {
  it('follows the byte order mark, and drops it', () => {
    expect(decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toEqual({ text: 'a', encoding: 'utf-8' })
    expect(decode(new Uint8Array([0xff, 0xfe, 0x61, 0]))).toEqual({ text: 'a', encoding: 'utf-16le' })
    expect(decode(new Uint8Array([0xfe, 0xff, 0, 0x61]))).toEqual({ text: 'a', encoding: 'utf-16be' })
  })
  it('takes what is no UTF-8 for the old Windows code page', () => {
    expect(decode(new TextEncoder().encode('jörg')).encoding).toBe('utf-8')
    expect(decode(new Uint8Array([0x6a, 0xf6, 0x72, 0x67]))).toEqual({ text: 'jörg', encoding: 'windows-1252' })
  })
})

describe('parse', () => {
  it('reads any line ending and skips blank lines', () => {
    expect(cells('a,b\r\nc,d\re,f\n\ng,h')).toEqual([['a', 'b'], ['c', 'd'], ['e', 'f'], ['g', 'h']])
  })
  it('keeps delimiters, quotes and line breaks inside quotes', () => {
    expect(cells('"a,b","say ""hi""","two\nlines"\nx')).toEqual([['a,b', 'say "hi"', 'two\nlines'], ['x']])
  })
  it('takes a quote in the middle of a cell for itself', () => {
    expect(cells('pa"ss,"a"b"')).toEqual([['pa"ss', 'ab"']])
  })
  it('keeps blanks, which may belong to a password', () => {
    expect(cells(' a , b ')).toEqual([[' a ', ' b ']])
  })
  it('tells where each row starts', () => {
    expect(parse('"a\nb",c\n\nd,e', ',').rows.map((row) => row.line)).toEqual([1, 4])
  })
  it('tells of a quote that is never closed', () => {
    expect(parse('a,b\nc,"d\ne', ',').unclosedQuote).toBe(2)
    expect(parse('a,"b"', ',').unclosedQuote).toBeNull()
  })
  it('has an empty cell for an empty quote', () => {
    expect(cells('""\n"",""')).toEqual([[''], ['', '']])
  })
})

describe('detectDelimiter', () => {
  it.each([
    ['a,b,c\n1,2,3', ','],
    ['a;b;c\n1,5;2;3', ';'],
    ['a\tb\n1\t2', '\t'],
    ['a|b\n1|2', '|'],
    ['"x,y";b\n"1,2";3', ';'],
    ['alone', ','],
  ])('of %j is %j', (text, delimiter) => expect(detectDelimiter(text)).toBe(delimiter))
})

describe('serialize', () => {
  it('writes what parse reads back', () => {
    const rows = [['plain', 'a,b', 'say "hi"', ' blank ', 'two\r\nlines', ''], ['x', '', '', '', '', 'y']]
    expect(cells(serialize(rows))).toEqual(rows)
    expect(cells(serialize(rows, ';'), ';')).toEqual(rows)
  })
})
