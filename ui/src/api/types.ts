// SPDX-License-Identifier: GPL-3.0-or-later
// The JSON of the module's actions.

export type Security = '' | 'tls' | 'ssl'
export type FolderMode = 'all' | 'inbox' | 'exclusion'
export type RunState = 'idle' | 'queued' | 'running' | 'stopping' | 'sign_in_needed'

/** Names one task. */
export interface TaskRef {
  localuser: string
  task_id: string
}

/** One entry of list-tasks. */
export interface Task extends TaskRef {
  remoteusername: string
  remotehostname: string
  remoteport: string
  security: Security
  delete_local: boolean
  delete_remote: boolean
  delete_remote_older: number
  exclude: string
  sieve_enabled: boolean
  cron: string
  foldersynchronization: FolderMode
  service_running: boolean
  last_sync_timestamp: number | null
  last_sync_exit_code: number | null
  has_log?: boolean
  next_run?: number | null
  last_sync_duration?: number | null
  /** Copied by the last run. */
  last_sync_messages?: number | null
  /** On both sides after the last run. */
  mailbox_messages?: number | null
  last_sync_error?: string | null
  state?: RunState
  certificate?: string | null
  /** The source that says where the server is and how to sign in there. */
  source?: string | null
  /** Whether the schedule pauses, since the login was refused again and again. */
  paused?: boolean
  /** Whether the schedule waits until an administrator says otherwise. */
  on_hold?: boolean
  /** The tasks that are moved together; empty for none. */
  batch?: string
}

export interface Mailbox {
  name: string
  label: string
  value: string
}

export interface TaskList {
  enabled_mailboxes: Mailbox[]
  user_properties: Task[]
}

/** The fields of create-task. */
export interface TaskInput extends TaskRef {
  remoteusername: string
  /** Instead of the server's fields. */
  source?: string
  remotehostname?: string
  remotepassword?: string
  remoteport?: number
  security?: Security
  delete_local: boolean
  delete_remote: boolean
  delete_remote_older: number
  exclude: string
  sieve_enabled: boolean
  cron: string
  foldersynchronization: FolderMode
  start?: boolean
  /** What a new task begins with; left out, an edit keeps what there is. */
  folder_options?: { special_folders: boolean }
  /** The fingerprint that the administrator accepts. */
  certificate?: string
  /** Nobody logs in before a certificate that no authority vouches for is accepted. */
  confirm_certificate?: boolean
}

export interface Certificate {
  subject: string
  issuer: string
  not_before: string | number
  not_after: string | number
  sha256: string
  trusted: boolean
}

/** What validate-task found on one side. */
export interface SideReport {
  status: string
  message?: string
  tls?: { version: string; certificate?: Certificate | null } | null
  greeting?: string | null
  server?: string | null
  capabilities?: string[]
  seconds?: number
}

export interface ConnectionReport {
  remote: SideReport
  local: SideReport
}

export interface RemoteFolder {
  name: string
  messages: number
  bytes: number
  special_use: string | null
  selectable: boolean
  excluded: boolean
}

export interface FolderList {
  folders?: RemoteFolder[]
  messages?: number
  bytes?: number
  status?: string
  message?: string
}

export interface Progress extends TaskRef {
  state: RunState
  folder?: string | null
  folder_index?: number | null
  folders?: number | null
  messages_done?: number | null
  messages_total?: number | null
  bytes_done?: number | null
  bytes_total?: number | null
  rate?: number | null
  seconds_left?: number | null
  /** Since the run was last seen to move. */
  seconds_idle?: number | null
  last_result?: unknown
}

export interface ProgressAnswer {
  tasks: Progress[]
  /** How many tasks do something. */
  counts: Record<'running' | 'queued' | 'stopping', number>
}

/** Why there is no answer: the key of what is wrong, and the same as a sentence. */
export interface Failed {
  status: string
  message: string
}

export interface ParameterError {
  parameter: string
  error: string
}

export type ImportMode = 'check' | 'skip' | 'update'
export type ImportResultKind = 'valid' | 'created' | 'updated' | 'skipped' | 'refused'

export interface ImportResult extends Partial<TaskRef> {
  row: number
  result: ImportResultKind
  errors?: ParameterError[]
}

export type ImportSummary = { results: ImportResult[] } & Record<'created' | 'updated' | 'skipped' | 'refused' | 'valid', number>

/** One row of import-tasks. */
export type ImportRow = Record<string, string | number | boolean | { special_folders: boolean }>

export interface BulkResult extends TaskRef {
  result: string
  error?: string | null
  errors?: ParameterError[]
}

export interface FolderPreview {
  remote: string
  local: string
  copy: number
  bytes: number
  flag: number
  delete_local: number
  delete_remote: number
}

export interface Preview extends Omit<FolderPreview, 'remote' | 'local'> {
  folders: FolderPreview[]
  warnings: string[]
}

export interface FolderVerification {
  remote: string
  local: string
  remote_messages: number
  local_messages: number
  missing: number
  extra: number
  different: number
}

export interface Difference {
  folder: string
  uid: number | null
  message_id: string | null
  kind: 'missing' | 'extra' | 'size' | 'flags' | 'date' | 'content'
  remote: unknown
  local: unknown
}

export interface Verification {
  agree: boolean
  folders: FolderVerification[]
  differences: Difference[]
  truncated: boolean
}

export type Engine = 'auto' | 'imapsync' | 'native'

export interface Configuration {
  mail_server: string
  mail_host: string
  mail_server_URL: Mailbox[]
  sync_engine?: Engine
  engine_used?: string
  engine_version?: string
  max_concurrent_syncs?: number | null
  /** Whether nothing starts by itself, since the original of this instance is alive. */
  schedules_paused?: boolean
}

export interface ConfigurationInput {
  mail_server: string
  mail_host: string
  sync_engine?: Engine
  max_concurrent_syncs?: number
}

export type Information =
  { status: false } | ({ status: true } & Record<'host1Folders' | 'host2Folders' | 'host1Messages' | 'host2Messages' | 'host1Sizes' | 'host2Sizes', number>)

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

/** How the tasks of a source sign in. */
export type SignIn = 'password' | 'administrator' | 'application' | 'service-account' | 'device-code' | 'authorization-code'

/** What a source says in words, with the same names in save-source and list-sources. */
export interface SourceTexts {
  source_id: string
  label: string
  preset: string
  hostname: string
  security: Security
  sign_in: SignIn
  admin_user: string
  admin_method: string
  login_template: string
  tenant: string
  authority: string
  issuer: string
  token_endpoint: string
  authorization_endpoint: string
  device_endpoint: string
  scope: string
  client_id: string
  client_authentication: string
  authority_certificates: string
}

/** A source of list-sources; its secrets never leave the module. */
export interface Source extends SourceTexts {
  port: number
  certificate?: string | null
  connections: number
  needs_person: boolean
  has_secret: boolean
  client_secret_expires?: string | null
  secret_expires_in_days?: number | null
  client_certificate?: { pem: string; subject: string; sha256: string; not_after: string } | null
  service_account: string
  tasks: TaskRef[]
}

/** The fields of save-source. */
export interface SourceInput extends Partial<SourceTexts> {
  port?: number
  certificate?: string
  connections?: number
  admin_password?: string
  client_secret_password?: string
  client_secret_expires?: string
  client_certificate?: string
  client_key_password?: string
  service_account_password?: string
}

/** What a kind of source starts from. */
export interface SourcePreset {
  id: string
  label: string
  hostname: string
  port: number
  security: Security
  /** The usual one first. */
  sign_ins: { sign_in: SignIn; scope: string }[]
  tenant: string
  authority: string
  token_endpoint: string
  authorization_endpoint: string
  device_endpoint: string
  login_template: string
  admin_method: string
}

export interface SourceList {
  sources: Source[]
  presets: SourcePreset[]
}

/** One step of test-source. */
export interface SourceStep {
  step: 'token' | 'login' | 'list' | 'inbox'
  status: string
  message: string
  advice: string
  provider_code: string
  seconds: number
}

export interface SourceReport {
  ok: boolean
  steps: SourceStep[]
  tls?: { version: string; certificate?: Certificate | null } | null
}

/** What the owner of a mailbox has to do next. */
export interface SignInBegun {
  sign_in: SignIn
  state: string
  expires_at: number
  user_code?: string | null
  verification_uri?: string | null
  verification_uri_complete?: string | null
  interval?: number | null
  authorization_url?: string | null
  redirect_uri?: string | null
}

/** Where a sign-in stands. */
export interface SignInStanding {
  status: 'pending' | 'signed-in' | 'refused' | 'expired'
  mailbox: string
  message: string
  advice: string
  provider_code: string
  interval?: number | null
}
