// SPDX-License-Identifier: GPL-3.0-or-later
// From a table of any make to the rows of import-tasks.
import type { ImportRow, ImportSummary, Mailbox, ParameterError, Task } from '../api/types.ts'
import { serialize, type Row, type Table } from './csv.ts'
import { checkTask, type TaskForm } from './rules.ts'

/** The columns, as the actions call them; the first six are those of the shell's import. */
export const COLUMNS = [
  'localuser',
  'remoteusername',
  'remotepassword',
  'remotehostname',
  'remoteport',
  'security',
  'foldersynchronization',
  'exclude',
  'cron',
  'delete_local',
  'delete_remote',
  'delete_remote_older',
  'sieve_enabled',
] as const
export type Column = (typeof COLUMNS)[number]

const REQUIRED: Column[] = ['localuser', 'remoteusername', 'remotepassword', 'remotehostname', 'remoteport', 'security']
/** What a row may say besides. */
export const OPTIONAL: Column[] = COLUMNS.filter((column) => !REQUIRED.includes(column))
const BOOLEANS: Column[] = ['delete_local', 'delete_remote', 'sieve_enabled']

/** Headings met in the wild, reduced to letters. */
const HEADINGS: Record<string, Column> = {
  localusername: 'localuser', localuser: 'localuser', user: 'localuser', mailbox: 'localuser', destination: 'localuser',
  remoteusername: 'remoteusername', remoteuser: 'remoteusername', login: 'remoteusername', username: 'remoteusername', email: 'remoteusername',
  remotepassword: 'remotepassword', password: 'remotepassword', pass: 'remotepassword', pwd: 'remotepassword',
  remotehostname: 'remotehostname', remotehost: 'remotehostname', host: 'remotehostname', hostname: 'remotehostname', server: 'remotehostname', imapserver: 'remotehostname',
  remoteport: 'remoteport', port: 'remoteport',
  security: 'security', encryption: 'security',
  foldersynchronization: 'foldersynchronization', folders: 'foldersynchronization',
  exclude: 'exclude', cron: 'cron', schedule: 'cron',
  deletelocal: 'delete_local', deleteremote: 'delete_remote', deleteremoteolder: 'delete_remote_older',
  sieveenabled: 'sieve_enabled', sieve: 'sieve_enabled',
}

/** Which column each cell of a row belongs to; null cells are left out. */
export type Mapping = (Column | null)[]

const letters = (text: string) => text.toLowerCase().replace(/[^a-z]/g, '')

/** Whether the first row names the columns, and which they are; without names, the usual order. */
export function guessMapping(table: Table): { header: boolean; mapping: Mapping } {
  const first = table.rows[0]?.cells ?? []
  const named = first.map((cell) => HEADINGS[letters(cell)] ?? null)
  const header = named.filter(Boolean).length >= 2
  const width = header ? first.length : Math.max(0, ...table.rows.slice(0, 50).map((row) => row.cells.length))
  const mapping: Mapping = Array.from({ length: width }, (_, at) => (header ? (named[at] ?? null) : (COLUMNS[at] ?? null)))
  return { header, mapping: mapping.map((column, at) => (mapping.indexOf(column) === at ? column : null)) }
}

/** Required columns that no cell is mapped to. */
export const missingColumns = (mapping: Mapping): Column[] => REQUIRED.filter((column) => !mapping.includes(column))

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

const SECURITY: Record<string, string> = { starttls: 'tls', imaps: 'ssl', none: '', no: '' }
const isTrue = (text: string) => /^(1|true|yes|y|on|x)$/i.test(text)

function readForm(cells: string[], mapping: Mapping): { form: TaskForm; present: Set<Column> } {
  const values: Partial<Record<Column, string>> = {}
  for (const [at, column] of mapping.entries()) {
    const cell = cells[at]
    // Only the names are trimmed: blanks may belong to a password.
    if (column && cell !== undefined) values[column] = column === 'remotepassword' ? cell : cell.trim()
  }
  const security = (values.security ?? '').toLowerCase()
  const form = {
    localuser: values.localuser ?? '',
    remoteusername: values.remoteusername ?? '',
    remotepassword: values.remotepassword ?? '',
    remotehostname: values.remotehostname ?? '',
    remoteport: values.remoteport ?? '',
    security: (SECURITY[security] ?? security) as TaskForm['security'],
    foldersynchronization: (values.foldersynchronization || 'all') as TaskForm['foldersynchronization'],
    exclude: values.exclude ?? '',
    cron: values.cron ?? '',
    delete_local: isTrue(values.delete_local ?? ''),
    delete_remote: isTrue(values.delete_remote ?? ''),
    delete_remote_older: values.delete_remote_older || '0',
    sieve_enabled: isTrue(values.sieve_enabled ?? ''),
  }
  // An empty optional cell asks for nothing.
  const present = new Set(COLUMNS.filter((column) => values[column] || (values[column] === '' && REQUIRED.includes(column))))
  return { form, present }
}

function dataOf(form: TaskForm, present: Set<Column>): ImportRow {
  const data: ImportRow = {}
  for (const column of present) {
    const value = form[column]
    const numeric = column === 'remoteport' || column === 'delete_remote_older'
    data[column] = numeric && /^\d{1,9}$/.test(String(value)) ? Number(value) : value
  }
  return data
}

function checkRow(row: Row, mapping: Mapping, form: TaskForm, original: Task | null): ParameterError[] {
  const errors: ParameterError[] = []
  const wanted = Math.max(...REQUIRED.map((column) => mapping.indexOf(column))) + 1
  if (row.cells.length < wanted) return [{ parameter: '', error: 'row_too_short' }]
  if (row.cells.length > mapping.length) errors.push({ parameter: '', error: 'row_too_long' })
  if (!['', 'tls', 'ssl'].includes(form.security)) errors.push({ parameter: 'security', error: 'security_invalid' })
  if (!['all', 'inbox', 'exclusion'].includes(form.foldersynchronization)) {
    errors.push({ parameter: 'foldersynchronization', error: 'foldersynchronization_invalid' })
  }
  return [...errors, ...checkTask(form, { original })]
}

const identity = (task: { localuser: string; remoteusername: string; remotehostname: string }) =>
  JSON.stringify([task.localuser, task.remoteusername, task.remotehostname.toLowerCase()])

/** Reads every row, with what speaks against it. */
export function readCandidates(
  table: Table,
  header: boolean,
  mapping: Mapping,
  known: { mailboxes: Mailbox[]; tasks: Task[] },
): Candidate[] {
  const users = new Set(known.mailboxes.map((mailbox) => mailbox.value))
  const existing = new Map(known.tasks.map((task) => [identity(task), task]))
  const seen = new Map<string, number>()
  return table.rows.slice(header ? 1 : 0).map((source, at) => {
    const { form, present } = readForm(source.cells, mapping)
    const errors = checkRow(source, mapping, form, existing.get(identity(form)) ?? null)
    const warnings: string[] = []
    const twin = seen.get(identity(form))
    if (twin !== undefined) errors.push({ parameter: '', error: 'row_duplicate' })
    else seen.set(identity(form), at + 1)
    const namesUser = !errors.some((error) => error.parameter === 'localuser')
    if (namesUser && users.size > 0 && form.localuser !== '' && !users.has(form.localuser)) {
      errors.push({ parameter: 'localuser', error: 'local_user_unknown' })
    }
    if (existing.has(identity(form))) warnings.push('row_exists')
    return { row: at + 1, line: source.line, cells: source.cells, form, data: dataOf(form, present), errors, warnings }
  })
}

/** The rows that were refused, as a file to correct and import again. */
export function failuresAsCsv(candidates: Candidate[], refused: Map<number, string>, delimiter: string): string {
  const columns = COLUMNS.filter((column) => candidates.some((candidate) => column in candidate.data) || REQUIRED.includes(column))
  const rows = candidates
    .filter((candidate) => refused.has(candidate.row))
    .map((candidate) => [
      ...columns.map((column) => String(candidate.data[column] ?? candidate.form[column] ?? '')),
      refused.get(candidate.row) ?? '',
    ])
  return serialize([[...columns.map(heading), 'problem'], ...rows], delimiter)
}

/** The heading that the shell's import knows. */
const heading = (column: Column) => (column === 'localuser' ? 'localusername' : column)

export const template = (): string =>
  serialize([
    REQUIRED.map(heading),
    ['john', 'john@example.com', 'his password', 'imap.example.com', '993', 'ssl'],
    ['mary', 'mary@example.com', 'her password', 'imap.example.com', '143', 'tls'],
  ])

/** The tasks as a table; passwords are known to the module alone. */
export function exportTasks(tasks: Task[]): string {
  const rows = tasks.map((task) =>
    COLUMNS.map((column) => {
      if (column === 'remotepassword') return ''
      if (column === 'exclude') return task.exclude.replace(/^,/, '')
      return BOOLEANS.includes(column) ? String(Boolean(task[column])) : String(task[column] ?? '')
    }),
  )
  return serialize([COLUMNS.map(heading), ...rows])
}

/** The answer's rows that were refused, with the words for it. */
export function refusedRows(summary: ImportSummary, words: (error: ParameterError) => string): Map<number, string> {
  const refused = summary.results.filter((result) => result.result === 'refused')
  return new Map(refused.map((result) => [result.row, (result.errors ?? []).map(words).join('; ')]))
}
