// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import type { Source, Task } from '../src/api/types.ts'
import { parse } from '../src/model/csv.ts'
import * as csv from '../src/model/import.ts'

const NO_SERVER = { remotehostname: '', remoteport: '993', security: 'ssl' } as const
const HEADER = 'localusername,remoteusername,remotepassword,remotehostname,remoteport,security'
const known = { mailboxes: ['john', 'mary'].map((name) => ({ name, label: name, value: name })), tasks: [] as Task[] }

function read(text: string, around = known) {
  const table = parse(text, ',')
  const { header, mapping } = csv.guessMapping(table)
  return csv.readCandidates(table, header, mapping, around)
}
const errors = (text: string) => read(text).map((candidate) => candidate.errors.map((error) => error.error))

describe('guessMapping', () => {
  it('reads headings in any order and spelling', () => {
    const { header, mapping } = csv.guessMapping(parse('Password;Remote host name;E-Mail;Local user;port;x\n', ';'))
    expect(header).toBe(true)
    expect(mapping).toEqual(['remotepassword', 'remotehostname', 'remoteusername', 'localuser', 'remoteport', null])
    expect(csv.missingColumns(mapping, NO_SERVER)).toEqual([])
  })
  it('takes the usual order when nothing names the columns', () => {
    const { header, mapping } = csv.guessMapping(parse('john,j@x,pw,imap.x,993,ssl', ','))
    expect(header).toBe(false)
    expect(mapping).toEqual(['localuser', 'remoteusername', 'remotepassword', 'remotehostname', 'remoteport', 'security'])
  })
  it('gives a column to one cell only', () => {
    expect(csv.guessMapping(parse('user,localuser,host', ',')).mapping).toEqual(['localuser', null, 'remotehostname'])
  })
})

describe('readCandidates', () => {
  it('trims names but never a password, and makes numbers of numbers', () => {
    const [row] = read(`${HEADER}\n john , j@x ," p w ", imap.x , 993 , SSL `)
    expect(row!.errors).toEqual([])
    expect(row!.data).toEqual({ localuser: 'john', remoteusername: 'j@x', remotepassword: ' p w ', remotehostname: 'imap.x', remoteport: 993, security: 'ssl' })
  })
  it('says what is wrong with each row', () => {
    expect(
      errors(`${HEADER}
john,j@x,pw,imap.x,993,ssl
john,j@x
john,k@x,pw,imap.x,993,ssl,surplus
john,l@x,,imap.x,99999,weird
nobody,n@x,pw,imap.x,143,starttls
john,j@x,pw,IMAP.x,143,
`),
    ).toEqual([
      [],
      ['row_too_short'],
      ['row_too_long'],
      ['security_invalid', 'remoteport_invalid', 'remotepassword_required'],
      ['local_user_unknown'],
      ['row_duplicate'],
    ])
  })
  it('takes no one for unknown when the users are unknown', () => {
    expect(read(`${HEADER}\nany,a@x,pw,imap.x,993,ssl`, { mailboxes: [], tasks: [] })[0]!.errors).toEqual([])
  })
  it('mentions an account that has a task', () => {
    const tasks = [{ localuser: 'john', remoteusername: 'j@x', remotehostname: 'imap.x' } as Task]
    expect(read(`${HEADER}\njohn,j@x,pw,imap.x,993,ssl`, { ...known, tasks })[0]!.warnings).toEqual(['row_exists'])
  })
  it('asks for no password where the module has one', () => {
    const tasks = [{ localuser: 'john', remoteusername: 'j@x', remotehostname: 'imap.x', remoteport: '993' } as Task]
    const [known_, moved] = read(`${HEADER}\njohn,j@x,,imap.x,993,ssl\nmary,j@x,,imap.x,993,ssl`, { ...known, tasks })
    expect(known_!.errors).toEqual([])
    expect(moved!.errors.map((error) => error.error)).toEqual(['remotepassword_required'])
    expect(read(`${HEADER}\njohn,j@x,,imap.x,143,tls`, { ...known, tasks })[0]!.errors.map((error) => error.error)).toEqual(['password_required'])
  })
  it('reads optional columns', () => {
    const [row] = read(`${HEADER},cron,delete_remote,delete_remote_older,folders\njohn,j@x,pw,imap.x,993,ssl,5m,yes,30,`)
    expect(row!.errors).toEqual([])
    expect(row!.data).toMatchObject({ cron: '5m', delete_remote: true, delete_remote_older: 30 })
    expect(row!.data).not.toHaveProperty('foldersynchronization')
  })
})

it('writes the failures as a file that reads the same again', () => {
  const rows = read(`${HEADER}\njohn,j@x,"p,""w ",imap.x,0,ssl\nmary,m@x,pw,imap.x,993,ssl`)
  const text = csv.failuresAsCsv(rows, new Map([[1, 'wrong port']]), ',')
  const table = parse(text, ',')
  expect(table.rows).toHaveLength(2)
  expect(table.rows[0]!.cells.at(-1)).toBe('problem')
  const [again] = csv.readCandidates(table, true, csv.guessMapping(table).mapping, known)
  expect(again!.form).toMatchObject({ localuser: 'john', remotepassword: 'p,"w ', remoteport: '0' })
})

it('exports every setting and no password', () => {
  const text = csv.exportTasks([
    {
      localuser: 'john',
      remoteusername: 'j@x',
      remotehostname: 'imap.x',
      remoteport: '993',
      security: 'ssl',
      remotepassword: 'secret',
      exclude: ',a,b',
      cron: '5m',
      foldersynchronization: 'exclusion',
      delete_local: false,
      delete_remote: true,
      delete_remote_older: 30,
      bandwidth: 200,
    } as unknown as Task,
  ])
  expect(text).not.toContain('secret')
  const [, row] = parse(text, ',').rows
  expect(row!.cells).toEqual(['john', 'j@x', '', 'imap.x', '993', 'ssl', 'exclusion', 'a,b', '5m', 'false', 'true', '30', 'false', 'false', '200', ''])
})

it('offers a template that its own reader takes', () => {
  const table = parse(csv.template(), ',')
  const { header, mapping } = csv.guessMapping(table)
  expect(header && csv.missingColumns(mapping, NO_SERVER).length === 0).toBe(true)
  expect(csv.readCandidates(table, true, mapping, known).every((row) => row.errors.length === 0)).toBe(true)
})

describe('an address and a password', () => {
  const server = { remotehostname: 'imap.old.org', remoteport: '993', security: 'ssl' } as const
  const people = { mailboxes: ['john', 'mary@new.org'].map((name) => ({ name, label: name, value: name })), tasks: [] }
  const readWith = (text: string) => {
    const table = parse(text, ',')
    const { header, mapping } = csv.guessMapping(table)
    return csv.readCandidates(table, header, mapping, people, server)
  }
  it.each([
    'E-Mail-Adresse,Passwort',
    'Adresse e-mail,Mot de passe',
    'Correo electrónico,Contraseña',
    'Indirizzo email,Password',
    'UserPrincipalName,Password',
    'Email Address [Required],Password [Required],,',
  ])('are enough under %j', (head) => {
    const [john, mary] = readWith(`${head}\njohn@old.org,pw\nmary@new.org,pw,,`)
    expect(john!.errors).toEqual([])
    expect(john!.data).toMatchObject({ localuser: 'john', remoteusername: 'john@old.org', remotehostname: 'imap.old.org', remoteport: 993, security: 'ssl' })
    expect(mary!.form.localuser).toBe('mary@new.org')
  })
  it('are mended by line', () => {
    const table = parse('Benutzer,Passwort\n\nnobody,pw', ',')
    const { header, mapping } = csv.guessMapping(table)
    const readMended = (mended: Map<number, object>) => csv.readCandidates(table, header, mapping, people, server, mended)[0]!
    expect(readMended(new Map()).errors.map((error) => error.error)).toEqual(['local_user_unknown'])
    expect(readMended(new Map([[3, { localuser: 'john' }]])).errors).toEqual([])
  })
})

it('understands how vendors and languages say yes and SSL', () => {
  const [row] = read(`${HEADER},delete_remote\njohn,j@x,pw,imap.x,993,SSL/TLS,WAHR`)
  expect(row!.form).toMatchObject({ security: 'ssl', delete_remote: true })
  expect(csv.deletes(row!)).toBe(true)
})

it('takes a column that names sources, and asks for neither server nor password then', () => {
  const sources = [{ source_id: 'm365', sign_in: 'application', hostname: 'imap.x', port: 993, security: 'ssl' }] as unknown as Source[]
  const table = parse('localusername,remoteusername,source\njohn,j@x,m365\nmary,m@x,none\n', ',')
  const { header, mapping } = csv.guessMapping(table)
  expect(mapping).toEqual(['localuser', 'remoteusername', 'source'])
  expect(csv.missingColumns(mapping, { remotehostname: '', remoteport: '993', security: 'ssl' })).toEqual([])
  const [john, mary] = csv.readCandidates(table, header, mapping, { ...known, sources })
  expect(john!.errors).toEqual([])
  expect(john!.data).toEqual({ localuser: 'john', remoteusername: 'j@x', source: 'm365' })
  expect(mary!.errors).toContainEqual({ parameter: 'source', error: 'source_not_found' })
})
