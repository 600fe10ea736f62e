// SPDX-License-Identifier: GPL-3.0-or-later
// Names for the parts of the actions' JSON, whose types are generated, and for that of the platform's own actions.
import type * as Json from './json.ts'

/** What a list holds. */
type Item<List> = List extends readonly (infer One)[] ? One : never
/** What there is where there is something. */
type Given<Type, Field extends keyof Type> = NonNullable<Type[Field]>

/** Why there is no answer: the key of what is wrong, and the same as a sentence. */
export interface Failed {
  status: string
  message: string
}

export type TaskList = Json.ListTasksOutput
/** One entry of list-tasks. */
export type Task = Item<TaskList['user_properties']>
export type Mailbox = Item<TaskList['enabled_mailboxes']>
/** Names one task. */
export type TaskRef = Pick<Task, 'localuser' | 'task_id'>
export type Security = Task['security']
export type FolderMode = Task['foldersynchronization']
export type RunState = Task['state']

export type TaskInput = Json.CreateTaskInput

export type ConnectionReport = Json.ValidateTaskOutput
/** What validate-task found on one side. */
export type SideReport = ConnectionReport['remote']
export type Certificate = Given<Given<SideReport, 'tls'>, 'certificate'>

export type FolderList = Json.BrowseFoldersOutput
export type RemoteFolder = Item<Exclude<FolderList, Failed>['folders']>

/** The end of a run's log. */
export type Log = Json.GetLogOutput

export type ProgressAnswer = Json.GetProgressOutput
type Told = Item<ProgressAnswer['tasks']>
/** Where a run stands; of one that has ended no more than that is known. */
export type Progress = Pick<Told, 'localuser' | 'task_id' | 'state'> & Partial<Told>

/** How far a batch is. */
export type BatchFigures = Json.GetBatchOutput
/** Where a job of a batch stands. */
export type JobProgress = Given<BatchFigures, 'assess'>
export type Cutover = BatchFigures['cutover']
export type CutoverStep = keyof Cutover
/** What DNS says of the domains of a batch. */
export type Domains = Json.CheckDomainsOutput
/** What is done to many tasks, and found again. */
export type BulkJob = Json.StopJobInput['job']
export type BulkJobProgress = Json.GetJobOutput
/** What became of a task. */
export type JobRow = Item<NonNullable<BulkJobProgress['results']>>
export type Planned = Json.StartBatchOutput
export type BatchJob = NonNullable<Json.StopBatchJobInput['job']>
export type BatchReport = Json.GetBatchReportOutput
/** What was found about one task of a batch. */
export type Found = Item<BatchReport['tasks']>
export type Assessed = Given<Found, 'assessment'>
/** What the last comparison with the batch found. */
export type StoredVerification = Json.GetVerificationOutput
export type Throughput = BatchFigures['throughput']

export type History = Json.GetHistoryOutput
export type PastRun = Item<History['runs']>

export type ImportMode = Given<Json.ImportTasksInput, 'mode'>
export type ImportSummary = Json.ImportTasksOutput
export type ImportResult = Item<ImportSummary['results']>
export type ImportResultKind = ImportResult['result']
export type ParameterError = Item<ImportResult['errors']>
/** One row of import-tasks. */
export type ImportRow = Record<string, string | number | boolean | { special_folders: boolean }>

/** What an action did to each of many tasks. */
export type BulkResults = NonNullable<Json.StartTaskOutput> | Json.UpdateTasksOutput
export type BulkResult = Item<BulkResults['results']>
export type TaskChanges = Omit<Json.UpdateTasksInput, 'tasks'>

export type Preview = Exclude<Json.PreviewTaskOutput, Failed>
export type FolderPreview = Item<Preview['folders']>

export type Verification = Exclude<Json.VerifyTaskOutput, Failed>
export type FolderVerification = Item<Verification['folders']>
export type Difference = Item<Verification['differences']>

export type Configuration = Json.GetConfigurationOutput
export type ConfigurationInput = Json.ConfigureModuleInput
export type Engine = Given<ConfigurationInput, 'sync_engine'>

export type Information = Json.ListInformationsOutput

export type SourceList = Json.ListSourcesOutput
/** A source of list-sources; its secrets never leave the module. */
export type Source = Item<SourceList['sources']>
/** What a kind of source starts from. */
export type SourcePreset = Item<SourceList['presets']>
/** How the tasks of a source sign in. */
export type SignIn = Source['sign_in']
export type SourceInput = Json.SaveSourceInput
export type SourceReport = Json.TestSourceOutput
/** One step of test-source. */
export type SourceStep = Item<SourceReport['steps']>
/** What the owner of a mailbox has to do next. */
export type SignInBegun = Json.BeginSignInOutput
/** Where a sign-in stands. */
export type SignInStanding = Json.CompleteSignInOutput

export interface InstanceStatus {
  instance?: string
  node?: string | number
  node_ui_name?: string
  services?: { name: string; active: boolean; failed: boolean; enabled?: boolean }[]
  images?: { name: string; created?: string; size?: string }[]
}

export interface Backup {
  id: number | string
  name: string
  enabled?: boolean
  instances?: { module_id: string; status?: { success?: boolean; end?: number } | null }[]
}
