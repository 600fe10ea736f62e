// SPDX-License-Identifier: GPL-3.0-or-later
// One function per action. Questions are quiet; what changes something shows up among the
// administrator's notifications. Lists go in one call: every call costs an audit row.
import { runAction, type RunOptions } from '../bridge/action.ts'
import type * as Json from './types.ts'

const MINUTES = 60_000

const ask = <T>(action: string, title: string, data: unknown = {}, options: Partial<RunOptions> = {}) =>
  runAction<T>(action, data, { title, quiet: true, ...options })

const act = <T>(action: string, title: string, data: unknown, options: Partial<RunOptions> = {}) => runAction<T>(action, data, { title, ...options })

/** The tasks as the actions that take many expect them. */
const refs = (tasks: Json.TaskRef[]) => ({
  tasks: tasks.map(({ localuser, task_id }) => ({ localuser, task_id })),
})

const ref = ({ localuser, task_id }: Json.TaskRef) => ({ localuser, task_id })

type Bulk = Json.BulkResults

export const getConfiguration = (title: string) => ask<Json.Configuration>('get-configuration', title)

export const configureModule = (title: string, input: Json.ConfigurationInput) => act<unknown>('configure-module', title, input, { timeout: 5 * MINUTES })

export const resumeSchedules = (title: string) => act<unknown>('resume-schedules', title, {})

/** All tasks, or those that are named; these without the mailboxes. */
export const listTasks = (title: string, tasks?: Json.TaskRef[]) => ask<Json.TaskList>('list-tasks', title, tasks ? refs(tasks) : {})

export const createTask = (title: string, input: Json.TaskInput) => act<unknown>('create-task', title, input)

export const validateTask = (title: string, input: Json.TaskInput) => ask<Json.ConnectionReport>('validate-task', title, input)

/** The remote folders of a stored task, or of one still being written. */
export const listFolders = (title: string, task: Json.TaskRef | Json.TaskInput) => ask<Json.FolderList>('browse-folders', title, task, { timeout: 3 * MINUTES })

/** Where the runs under way stand, of all tasks or of those that are named, and how many there are in all. */
export const getProgress = (title: string, tasks: Json.TaskRef[] | null) =>
  ask<Json.ProgressAnswer>('get-progress', title, { active: true, ...(tasks ? refs(tasks) : {}) }, { timeout: 30_000 })

export const startTasks = (title: string, tasks: Json.TaskRef[]) => act<Bulk>('start-task', title, refs(tasks), { timeout: 10 * MINUTES })

export const stopTasks = (title: string, tasks: Json.TaskRef[]) => act<Bulk>('stop-task', title, refs(tasks), { timeout: 10 * MINUTES })

export const deleteTasks = (title: string, tasks: Json.TaskRef[]) => act<Bulk>('delete-task', title, refs(tasks), { timeout: 10 * MINUTES })

export const updateTasks = (title: string, tasks: Json.TaskRef[], changes: Json.TaskChanges) =>
  act<Bulk>('update-tasks', title, { ...refs(tasks), ...changes }, { timeout: 10 * MINUTES })

export const importTasks = (title: string, mode: Json.ImportMode, tasks: Json.ImportRow[], batch: string, onProgress: (percent: number) => void) =>
  runAction<Json.ImportSummary>(
    'import-tasks',
    { mode, tasks, batch, keep: true },
    {
      title,
      quiet: mode === 'check',
      onProgress,
      timeout: 60 * MINUTES,
    },
  )

/** How far the last job of a kind is, and what came of it. */
export const getJob = (title: string, job: Json.BulkJob, results: boolean) => ask<Json.BulkJobProgress>('get-job', title, { job, results })

export const stopJob = (title: string, job: Json.BulkJob) => ask<unknown>('stop-job', title, { job })

export const getLog = (title: string, task: Json.TaskRef) => ask<Json.Log>('get-log', title, ref(task))

export const getHistory = (title: string, task: Json.TaskRef) => ask<Json.History>('get-history', title, ref(task))

/** How far a batch is, from what is stored. */
export const getBatch = (title: string, batch: string) => ask<Json.BatchFigures>('get-batch', title, { batch }, { timeout: 30_000 })

/** What was found about its tasks, from what is stored. */
export const getBatchReport = (title: string, batch: string) => ask<Json.BatchReport>('get-batch-report', title, { batch }, { timeout: MINUTES })

/** Goes on whether or not somebody waits for it; where it stands is told by get-batch. */
export const runBatchJob = (job: Json.BatchJob, title: string, batch: string, deep: boolean) =>
  ask<unknown>(`${job}-batch`, title, job === 'verify' ? { batch, deep } : { batch }, { timeout: 24 * 60 * MINUTES })

/** Has all its tasks begin at a time; null takes it back. */
export const startBatch = (title: string, batch: string, at: number | null) => act<Json.Planned>('start-batch', title, { batch, at }, { timeout: 2 * MINUTES })

/** Notes a step of the cut-over. */
export const setBatchStep = (title: string, batch: string, step: Json.CutoverStep, done: boolean) =>
  ask<unknown>('set-batch-step', title, { batch, step, done })

/** What DNS says now of the domains of a batch. */
export const checkDomains = (title: string, batch: string) => ask<Json.Domains>('check-domains', title, { batch }, { timeout: MINUTES })

export const stopBatchJob = (title: string, batch: string, job: Json.BatchJob) => ask<unknown>('stop-batch-job', title, { batch, job })

export const getVerification = (title: string, task: Json.TaskRef) => ask<Json.StoredVerification>('get-verification', title, ref(task))

export const listInformations = (title: string, task: Json.TaskRef) => ask<Json.Information>('list-informations', title, ref(task), { timeout: 5 * MINUTES })

export const previewTask = (title: string, task: Json.TaskRef) => ask<Json.Preview | Json.Failed>('preview-task', title, ref(task), { timeout: 30 * MINUTES })

export const verifyTask = (title: string, task: Json.TaskRef, deep: boolean) =>
  ask<Json.Verification | Json.Failed>('verify-task', title, { ...ref(task), deep }, { timeout: 60 * MINUTES })

/** The next run knows nothing of former ones, and compares both sides. */
export const compareAgain = (title: string, tasks: Json.TaskRef[]) => act<Bulk>('compare-again', title, refs(tasks))

/** The next run deletes what the last one held back. */
export const confirmDeletions = (title: string, tasks: Json.TaskRef[]) => act<Bulk>('confirm-deletions', title, refs(tasks))

export const listSources = (title: string) => ask<Json.SourceList>('list-sources', title)

export const saveSource = (title: string, input: Json.SourceInput) => act<{ source_id: string }>('save-source', title, input, { timeout: 5 * MINUTES })

export const deleteSource = (title: string, source_id: string) => act<unknown>('delete-source', title, { source_id })

/** A token, the login, the folders and the inbox of one mailbox. */
export const testSource = (title: string, question: { source_id: string; mailbox: string; password?: string }) =>
  ask<Json.SourceReport>('test-source', title, question, { timeout: 3 * MINUTES })

export const beginSignIn = (title: string, question: { source_id: string; mailbox: string; redirect_uri: string }) =>
  ask<Json.SignInBegun>('begin-sign-in', title, question)

/** What the browser brought back; without it, whether somebody has entered the code. */
export const completeSignIn = (title: string, question: { state: string; code?: string; address?: string }) =>
  ask<Json.SignInStanding>('complete-sign-in', title, question)

export const getStatus = (title: string) => ask<Json.InstanceStatus>('get-status', title)

export const getName = (title: string) => ask<{ name: string }>('get-name', title)

export const listBackups = (title: string) => ask<{ backups: Json.Backup[] }>('list-backups', title, {}, { target: 'cluster' })

export const listBackupRepositories = (title: string) => ask<{ repositories: unknown[] }>('list-backup-repositories', title, {}, { target: 'cluster' })
