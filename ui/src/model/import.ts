// SPDX-License-Identifier: GPL-3.0-or-later
// From a table of any make to the rows of import-tasks.
import { FIELDS, SECURITY_WORDS, TRUE_WORDS } from '../api/facts.ts'
import type { ImportRow, Mailbox, ParameterError, Security, Source, Task } from '../api/types.ts'
import { formWith } from './form.ts'
import { natural, serialize, type Row, type Table } from './csv.ts'
import { checkTask, usualPort, type TaskForm } from './rules.ts'

export type Column = (typeof FIELDS)[number]['name']
/** The columns, as the actions call them; the first ones are those that the shell's import needs. */
export const COLUMNS: Column[] = FIELDS.map((field) => field.name)

const namesOf = (holds: (field: (typeof FIELDS)[number]) => boolean): Column[] => FIELDS.filter(holds).map((field) => field.name)
const REQUIRED = namesOf((field) => field.required !== 'no')
/** What a row may say in addition. */
export const OPTIONAL = namesOf((field) => field.required === 'no')
/** What a source says instead of the row. */
const SERVER = namesOf((field) => field.required === 'unless-source' && field.name !== 'remotepassword')
const FLAGS = namesOf((field) => field.kind === 'flag')
const NUMBERS = namesOf((field) => field.kind === 'number')

/** The server of all rows that name none. */
export interface Defaults {
  /** Its id, instead of the server; empty for none. */
  source?: string
  remotehostname: string
  remoteport: string
  security: Security
}

/** Headings reduced to letters: in five languages, and as mail programs and providers export them. */
const COLUMN_OF = new Map<string, Column>()

/** Which column each cell of a row belongs to; null cells are left out. */
export type Mapping = (Column | null)[]

const letters = (text: string) =>
  text
    .replaceAll('ß', 'ss')
    .normalize('NFD')
    .toLowerCase()
    .replace(/[^a-z]/g, '')

// The first column that goes by a name has it.
for (const { name, heading, others } of FIELDS) {
  for (const called of [letters(name), letters(heading), ...others.split(' ').filter(Boolean)]) {
    if (!COLUMN_OF.has(called)) COLUMN_OF.set(called, name)
  }
}

/** Whether the first row names the columns, and which they are; without names, the usual order. */
export function guessMapping(table: Table): { header: boolean; mapping: Mapping } {
  const first = table.rows[0]?.cells ?? []
  const named = first.map((cell) => COLUMN_OF.get(letters(cell)) ?? null)
  const header = named.filter(Boolean).length >= 2
  // Spreadsheets end rows with separators of empty columns.
  const filled = first.reduce((last, cell, at) => (cell.trim() === '' ? last : at + 1), 0)
  const width = header ? filled : Math.max(0, ...table.rows.slice(0, 50).map((row) => row.cells.length))
  const mapping: Mapping = Array.from({ length: width }, (_, at) => (header ? (named[at] ?? null) : (COLUMNS[at] ?? null)))
  return {
    header,
    mapping: mapping.map((column, at) => {
      if (mapping.indexOf(column) === at) return column
      // Next to an account, `source` is no other name of it.
      return letters(first[at] ?? '') === 'source' && !mapping.includes('source') ? 'source' : null
    }),
  }
}

/** What neither a column nor the server of all rows tells. An address is enough to know the user on both sides. */
export function missingColumns(mapping: Mapping, defaults: Defaults, signsIn = false): Column[] {
  const missing: Column[] = []
  if (!mapping.includes('remoteusername') && !mapping.includes('localuser')) missing.push('remoteusername')
  const sourced = mapping.includes('source') || Boolean(defaults.source)
  if (!mapping.includes('remotepassword') && !signsIn && !mapping.includes('source')) missing.push('remotepassword')
  if (!sourced && !mapping.includes('remotehostname') && defaults.remotehostname.trim() === '') missing.push('remotehostname')
  return missing
}

/** A row of the file on its way to becoming a task. */
export interface Candidate {
  /** From 1, as in the answer of import-tasks. */
  row: number
  line: number
  cells: string[]
  form: TaskForm
  data: ImportRow
  errors: ParameterError[]
  warnings: string[]
}

const SECURITY = new Map<string, Security>(SECURITY_WORDS.flatMap(([security, words]) => words.split(' ').map((word) => [word, security] as const)))
const TRUE = new Set(TRUE_WORDS.split(' '))
const isTrue = (text: string) => TRUE.has(text.trim().toLowerCase())

/** The destination user of an address: the whole of it or the part before the at sign, as the mail server has it. */
function userOf(address: string, users: Map<string, string>): string {
  const [name = ''] = address.split('@')
  return users.get(address.toLowerCase()) ?? users.get(name.toLowerCase()) ?? (users.size > 0 ? address : name)
}

function readForm(cells: string[], mapping: Mapping, defaults: Defaults, users: Map<string, string>, ours: boolean): { form: TaskForm; present: Set<Column> } {
  const values: Partial<Record<Column, string>> = {}
  for (const [at, column] of mapping.entries()) {
    const cell = cells[at] === undefined || !ours ? cells[at] : natural(cells[at])
    // Only the names are trimmed: blanks may belong to a password.
    if (column && cell !== undefined) values[column] = column === 'remotepassword' ? cell : cell.trim()
  }
  values.remoteusername ||= values.localuser ?? ''
  if (!values.localuser || !mapping.includes('remoteusername')) values.localuser = userOf(values.localuser || values.remoteusername, users)
  values.remotehostname ||= defaults.remotehostname.trim()
  const own = Boolean(mapping.includes('security') && values.security)
  const told = own ? (values.security ?? '') : ''
  const security = own
    ? (SECURITY.get(letters(told)) ?? told.toLowerCase())
    : values.remoteport === '143'
      ? 'tls'
      : values.remoteport === '993'
        ? 'ssl'
        : mapping.includes('security')
          ? ''
          : defaults.security
  values.remoteport ||= own || mapping.includes('security') ? usualPort(security as Security) : defaults.remoteport
  const form = {
    ...formWith(({ name, kind }) => (kind === 'flag' ? isTrue(values[name] ?? '') : (values[name] ?? ''))),
    source: values.source || defaults.source || '',
    security: security as TaskForm['security'],
    foldersynchronization: (values.foldersynchronization || 'all') as TaskForm['foldersynchronization'],
    delete_remote_older: values.delete_remote_older || '0',
  }
  // An empty optional cell asks for nothing.
  const present = new Set(COLUMNS.filter((column) => values[column] || REQUIRED.includes(column) || (column === 'source' && form.source !== '')))
  return { form, present }
}

function dataOf(form: TaskForm, present: Set<Column>, signsIn: boolean): ImportRow {
  const data: ImportRow = {}
  for (const column of present) {
    if (form.source !== '' && (SERVER.includes(column) || (signsIn && column === 'remotepassword'))) continue
    const value = form[column]
    data[column] = NUMBERS.includes(column) && /^\d{1,9}$/.test(String(value)) ? Number(value) : value
  }
  return data
}

function checkRow(row: Row, mapping: Mapping, form: TaskForm, original: Task | null, signsIn: boolean): ParameterError[] {
  const errors: ParameterError[] = []
  const wanted = Math.max(...REQUIRED.map((column) => mapping.indexOf(column))) + 1
  if (row.cells.length < wanted) return [{ parameter: '', error: 'row_too_short' }]
  if (row.cells.slice(mapping.length).some((cell) => cell.trim() !== '')) errors.push({ parameter: '', error: 'row_too_long' })
  if (!['', 'tls', 'ssl'].includes(form.security)) errors.push({ parameter: 'security', error: 'security_invalid' })
  if (!['all', 'inbox', 'exclusion'].includes(form.foldersynchronization)) {
    errors.push({ parameter: 'foldersynchronization', error: 'foldersynchronization_invalid' })
  }
  return [...errors, ...checkTask(form, { original, signsIn })]
}

/** The headings that this page writes. */
const OWN_HEADINGS = new Set<string>([...FIELDS.map((field) => field.heading), 'problem', 'task_id'])

const identity = (task: { localuser: string; remoteusername: string; remotehostname: string }) =>
  JSON.stringify([task.localuser, task.remoteusername, task.remotehostname.toLowerCase()])

/** Rows that switch a deletion on. */
export const deletes = ({ form }: Candidate): boolean => form.delete_local || form.delete_remote

/** Reads every row, with what speaks against it. */
export function readCandidates(
  table: Table,
  header: boolean,
  mapping: Mapping,
  known: { mailboxes: Mailbox[]; tasks: Task[]; sources?: Source[] },
  defaults: Defaults = { remotehostname: '', remoteport: '993', security: 'ssl' },
  mended: Map<number, Partial<TaskForm>> = new Map(),
): Candidate[] {
  const sources = new Map((known.sources ?? []).map((one) => [one.source_id, one]))
  const users = new Map(known.mailboxes.map(({ value }) => [value.toLowerCase(), value]))
  // Only what this page wrote is known to have been made harmless for spreadsheets.
  const ours = header && (table.rows[0]?.cells ?? []).every((cell) => OWN_HEADINGS.has(cell))
  const existing = new Map(known.tasks.map((task) => [identity(task), task]))
  const seen = new Map<string, number>()
  return table.rows.slice(header ? 1 : 0).map((source, at) => {
    const { form: read, present } = readForm(source.cells, mapping, defaults, users, ours)
    const form = { ...read, ...mended.get(source.line) }
    const described = sources.get(form.source)
    if (described) Object.assign(form, { remotehostname: described.hostname, remoteport: String(described.port), security: described.security })
    const signsIn = form.source !== '' && described?.sign_in !== 'password'
    const errors = checkRow(source, mapping, form, existing.get(identity(form)) ?? null, signsIn)
    if (form.source !== '' && known.sources && !described) errors.push({ parameter: 'source', error: 'source_not_found' })
    const warnings: string[] = []
    const twin = seen.get(identity(form))
    if (twin !== undefined) errors.push({ parameter: '', error: 'row_duplicate' })
    else seen.set(identity(form), at + 1)
    const namesUser = !errors.some((error) => error.parameter === 'localuser')
    if (namesUser && users.size > 0 && form.localuser !== '' && ![...users.values()].includes(form.localuser)) {
      errors.push({ parameter: 'localuser', error: 'local_user_unknown' })
    }
    if (existing.has(identity(form))) warnings.push('row_exists')
    return { row: at + 1, line: source.line, cells: source.cells, form, data: dataOf(form, present, signsIn), errors, warnings }
  })
}

/** The rows that were refused, as a file to correct and import again. */
export function failuresAsCsv(candidates: Candidate[], refused: Map<number, string>, delimiter: string): string {
  const columns = COLUMNS.filter((column) => candidates.some((candidate) => column in candidate.data) || REQUIRED.includes(column))
  const rows = candidates
    .filter((candidate) => refused.has(candidate.row))
    .map((candidate) => [...columns.map((column) => String(candidate.data[column] ?? candidate.form[column] ?? '')), refused.get(candidate.row) ?? ''])
  return serialize([[...columns.map(heading), 'problem'], ...rows], delimiter)
}

/** The heading that the shell's import knows. */
const heading = (column: Column) => FIELDS.find((field) => field.name === column)!.heading

export const template = (delimiter = ','): string =>
  serialize(
    [
      REQUIRED.map(heading),
      ['john', 'john@example.com', 'his password', 'imap.example.com', '993', 'ssl'],
      ['mary', 'mary@example.com', 'her password', 'imap.example.com', '143', 'tls'],
    ],
    delimiter,
  )

/** The tasks as a table; passwords are known to the module alone. */
export function exportTasks(tasks: Task[], delimiter = ','): string {
  const rows = tasks.map((task) =>
    COLUMNS.map((column) => {
      if (column === 'remotepassword') return ''
      if (column === 'exclude') return task.exclude.replace(/^,/, '')
      return FLAGS.includes(column) ? String(Boolean(task[column])) : String(task[column] ?? '')
    }),
  )
  return serialize([COLUMNS.map(heading), ...rows], delimiter)
}
