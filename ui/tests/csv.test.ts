// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { decode, detectDelimiter, natural, parse, serialize } from '../src/model/csv.ts'

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
    expect(cells('a,b\r\nc,d\re,f\n\ng,h')).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
      ['g', 'h'],
    ])
  })
  it('keeps delimiters and quotes inside quotes', () => {
    expect(cells('"a,b","say ""hi"""\nx')).toEqual([['a,b', 'say "hi"'], ['x']])
  })
  it.each([
    ['u1,"pw,h', '"pw'],
    ['u1,"p"w,h', '"p"w'],
    ['u1,pa"ss,h', 'pa"ss'],
    ['u1,"p,w""",h', 'p,w"'],
    ['u1,",h', '"'],
    ['u1,"""pw",h', '"pw'],
    ['u1,"",h', ''],
  ])('reads the password of %j, and the next row', (line, meant) => {
    for (const next of ['u2,"pw,h', 'u2,pw",h', '"u2",pw,"h"']) {
      const rows = cells(`${line}\n${next}`)
      expect(rows).toHaveLength(2)
      expect(rows[0]).toEqual(['u1', meant, 'h'])
    }
  })
  it('keeps blanks, which may belong to a password', () => {
    expect(cells(' a , b ')).toEqual([[' a ', ' b ']])
  })
  it('numbers rows by their lines, and leaves out what says nothing', () => {
    expect(parse('a,b\n\n,,\n , \nd,e', ',').rows.map((row) => row.line)).toEqual([1, 5])
  })
  it('takes a line that announces the delimiter for no row', () => {
    expect(detectDelimiter('sep=;\r\na,b;c')).toBe(';')
    expect(parse('sep=;\r\na;b', ';').rows).toEqual([{ line: 2, cells: ['a', 'b'] }])
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
    const rows = [
      ['plain', 'a,b', 'say "hi"', ' blank ', 'it is', ''],
      ['x', '', '', '', '', 'y'],
    ]
    expect(cells(serialize(rows))).toEqual(rows)
    expect(cells(serialize(rows, ';'), ';')).toEqual(rows)
  })
})

it('makes formulas harmless, and takes that back', () => {
  for (const cell of ['=1+1', '+39', '-x', '@sum', "'=x", '\tx', 'plain', "'quoted'"]) {
    const written = cells(serialize([[cell, 'x']]))[0]![0]!
    expect(written).not.toMatch(/^[=+\-@\t]/)
    expect(natural(written)).toBe(cell)
  }
})

it('reads UTF-16 without a mark', () => {
  expect(decode(new Uint8Array([0x61, 0, 0x2c, 0])).text).toBe('a,')
  expect(decode(new Uint8Array([0, 0x61, 0, 0x2c])).text).toBe('a,')
})
