// SPDX-License-Identifier: GPL-3.0-or-later
// A STAND-IN for the cluster and the module's actions, in memory: for work on the page and for the
// cases that real servers make hard to reach (two thousand tasks, every state at once, a lost
// connection). It speaks the protocol of the platform; what the actions really do is tested against
// the sandbox.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { FOLDERS, MailStandIn } from './stand-in-mail.mjs'
import { FINGERPRINT, key, refuse, seconds } from './stand-in-sources.mjs'

const HOSTS = ['imap.gmail.com', 'outlook.office365.com', 'imap.example.com', 'mail.acme.org']
const FIRST = ['anna', 'bruno', 'carla', 'dario', 'elena', 'franco', 'greta', 'hugo', 'irene', 'jonas', 'karin', 'luca']
const LAST = ['rossi', 'bianchi', 'meier', 'dupont', 'garcia', 'novak', 'smith', 'keller']
const FAULTS = [
  [161, 'bad_user_credentials'],
  [101, 'Check_hostname_or_tcp_port'],
  [113, null],
  [111, null],
  [12, 'certificate_changed'],
]
const PASSWORD = 'secret'
const ANSWER = JSON.parse(readFileSync(new URL('../../../imageroot/actions/list-tasks/validate-output.json', import.meta.url)))
/** What list-tasks tells of a task by true or false, as long as nothing is on. */
const OFF = Object.fromEntries(
  Object.entries(ANSWER.properties.user_properties.items.properties)
    .filter(([, schema]) => schema.type === 'boolean')
    .map(([name]) => [name, false]),
)

/** Roughly when a schedule starts something. */
function nextRun({ cron, on_hold }) {
  const [, amount, unit] = /^(\d+)([mh])/.exec(cron) ?? []
  const step = unit === 'm' ? amount * 60 : unit === 'h' ? amount * 3600 : 86_400
  return cron === '' || on_hold ? null : Math.ceil((seconds() + 1) / step) * step
}

export class StandIn extends MailStandIn {
  constructor({ tasks = 0, configured = true, delay = 20, sources = false, batch = '' } = {}) {
    super()
    this.delay = delay
    /** The batch that all tasks belong to from the beginning. */
    this.batch = batch
    this.bulkJobs = new Map()
    /** How long a row of an import takes, in milliseconds. */
    this.rowPace = 0.5
    /** What the source servers were told. */
    this.passwords = []
    this.users = Array.from({ length: Math.max(60, tasks) }, (_, at) => `${FIRST[at % FIRST.length]}.${LAST[at % LAST.length]}${at >= 24 ? at : ''}`)
    this.configuration = {
      mail_server: configured ? 'e5ff8c3f-aaf6-4d93-9a33-dcb7ed094fdc' : '',
      mail_host: configured ? '10.5.4.1' : '',
      mail_server_URL: [{ name: 'mail1', label: 'mail1 (mail.example.org)', value: 'e5ff8c3f-aaf6-4d93-9a33-dcb7ed094fdc,10.5.4.1' }],
      sync_engine: 'auto',
      engine_used: 'native',
      engine_version: '1.0.0',
      max_concurrent_syncs: 4,
      bandwidth: 0,
    }
    for (let at = 0; at < tasks; at++) this.seed(at)
    if (sources) this.seedSources()
    this.ticker = setInterval(() => this.tick(), 500)
  }

  close() {
    clearInterval(this.ticker)
    super.close()
  }

  seed(at) {
    const user = this.users[at % this.users.length]
    const kind = at % 10
    const failed = kind === 3 || kind === 7
    const [code, reason] = failed ? FAULTS[Math.floor(at / 5) % FAULTS.length] : kind === 5 ? [143, null] : [0, null]
    const never = kind === 9
    const ran = seconds() - 3600 - at * 977
    const task = {
      ...OFF,
      task_id: `t${String(at).padStart(5, '0')}`,
      localuser: user,
      remoteusername: `${user}@old.example.com`,
      remotehostname: HOSTS[at % HOSTS.length],
      remoteport: at % 2 ? '993' : '143',
      security: at % 2 ? 'ssl' : 'tls',
      deletefolder: '',
      exclude: at % 6 === 2 ? ',^Spam$,^Trash$' : '',
      delete_remote: at % 12 === 4,
      delete_remote_older: at % 12 === 4 ? 30 : 0,
      listening: null,
      expunge_remote: '',
      cron: ['', '5m', '1h', '12h'][at % 4],
      folder_inbox: '',
      foldersynchronization: at % 6 === 2 ? 'exclusion' : 'all',
      remotepassword: '',
      service_running: false,
      last_sync_timestamp: never ? null : ran,
      last_sync_exit_code: never ? null : code,
      last_sync_error: reason,
      last_sync_duration: never ? null : 7 + ((at * 37) % 5000),
      last_sync_messages: never ? null : at % 3 ? 0 : (at * 131) % 700,
      mailbox_messages: never ? null : 700 + ((at * 7919) % 20_000),
      has_log: !never,
      certificate: null,
      batch: this.batch,
    }
    this.tasks.set(key(task), task)
    if (kind === 1) this.start(task)
    if (kind === 8) this.runs.set(key(task), { state: 'queued' })
  }

  start(task) {
    const total = 400 + ((this.runs.size * 911) % 3000)
    this.runs.set(key(task), { state: 'running', done: 0, total, started: seconds() })
  }

  tick() {
    for (const [id, run] of this.runs) {
      if (run.state !== 'running') continue
      run.done = Math.min(run.total, run.done + Math.ceil(run.total / (run.pace ?? 120)))
      if (run.done < run.total) continue
      this.runs.delete(id)
      const task = this.tasks.get(id)
      if (!task) continue
      Object.assign(task, {
        last_sync_timestamp: run.started,
        last_sync_exit_code: 0,
        last_sync_error: null,
        last_sync_messages: run.total,
        mailbox_messages: run.total,
        last_sync_duration: seconds() - run.started,
        has_log: true,
      })
    }
  }

  async perform(job, onProgress) {
    const pause = (factor = 1) => new Promise((resolve) => setTimeout(resolve, this.delay * factor))
    await pause(2)
    const action = this[job.action]
    if (!action) throw new Error(`no such action: ${job.action}`)
    return action.call(this, job.data, onProgress, pause)
  }

  // --- the actions

  'get-configuration'() {
    return this.configuration
  }

  'configure-module'(data) {
    if (!this.configuration.mail_server_URL.some((one) => one.value.startsWith(data.mail_server))) refuse('mail_server', 'mail_server_is_not_valid')
    Object.assign(this.configuration, data)
  }

  'list-tasks'({ tasks } = {}) {
    const wanted = tasks ? tasks.map((task) => this.tasks.get(key(task))).filter(Boolean) : [...this.tasks.values()]
    const user_properties = wanted.map((task) => {
      const state = this.runs.get(key(task))?.state ?? 'idle'
      const needed = state === 'idle' && this.needsSignIn(task)
      return { ...task, next_run: nextRun(task), state: needed ? 'sign_in_needed' : state, service_running: state === 'running' }
    })
    return { enabled_mailboxes: tasks ? [] : this.users.map((name) => ({ name, label: name, value: name })), user_properties }
  }

  'get-progress'({ tasks, active }) {
    const wanted = (tasks ?? [...this.tasks.values()]).filter((task) => !active || this.runs.has(key(task)))
    const counts = { running: 0, queued: 0, stopping: 0 }
    for (const run of this.runs.values()) counts[run.state]++
    return {
      ...(active ? { counts } : {}),
      tasks: wanted.map(({ localuser, task_id }) => {
        const run = this.runs.get(key({ localuser, task_id }))
        if (!run) return { localuser, task_id, state: 'idle' }
        if (run.state === 'queued') return { localuser, task_id, state: 'queued' }
        const share = run.done / run.total
        return {
          localuser,
          task_id,
          state: run.state,
          folder: FOLDERS[Math.floor(share * 10)],
          folder_index: Math.floor(share * 11) + 1,
          folders: 11,
          messages_done: run.done,
          messages_total: run.total,
          bytes_done: run.done * 26_500,
          bytes_total: run.total * 26_500,
          rate: 2_000_000,
          seconds_left: Math.round((1 - share) * 60),
          seconds_idle: run.idle ?? 0,
          last_result: null,
        }
      }),
    }
  }

  'validate-task'(data) {
    const good = data.remotepassword === PASSWORD || data.remotepassword === ''
    const reachable = !data.remotehostname.includes('nowhere')
    const selfSigned = data.remotehostname.includes('selfsigned')
    const certificate = {
      subject: `CN=${data.remotehostname}`,
      issuer: selfSigned ? `CN=${data.remotehostname}` : "CN=R11, O=Let's Encrypt",
      not_before: '2026-06-01T00:00:00Z',
      not_after: '2027-06-01T00:00:00Z',
      sha256: FINGERPRINT,
      trusted: !selfSigned,
    }
    const former = this.tasks.get(key(data))
    const pin = data.certificate ?? (former?.remotehostname === data.remotehostname ? former.certificate : null)
    const side = (status, message, more = {}) => ({ status, message, tls: null, greeting: '', server: null, capabilities: [], seconds: 0.05, ...more })
    const remote = () => {
      if (!reachable)
        return side('Check_hostname_or_tcp_port', 'the name cannot be resolved: no records found for Query { name: Name("nowhere.example.com.") }')
      // The handshake ends before anybody logs in.
      if (selfSigned && pin !== FINGERPRINT && (pin || data.confirm_certificate))
        return side(pin ? 'certificate_changed' : 'certificate_unknown', 'no authority vouches for the certificate', { tls: { version: '', certificate } })
      this.passwords.push(data.remotepassword)
      const welcome = {
        tls: { version: 'TLSv1.3', certificate },
        greeting: '* OK Dovecot ready.',
        server: 'Dovecot',
        capabilities: ['UIDPLUS', 'CONDSTORE', 'SPECIAL-USE', 'LITERAL+'],
      }
      return good ? side('ok', '', welcome) : side('bad_user_credentials', 'NO [AUTHENTICATIONFAILED] Authentication failed.', welcome)
    }
    return { remote: remote(), local: side(this.users.includes(data.localuser) ? 'ok' : 'local_user_unknown', '') }
  }

  check(data) {
    if (data.source) {
      if (!this.sources.has(data.source)) refuse('source', 'source_not_found')
      if (!this.users.includes(data.localuser)) refuse('localuser', 'local_user_unknown')
      if (this.needsSignIn(data)) refuse('source', 'sign_in_needed')
      return
    }
    const { remote, local } = this['validate-task'](data)
    if (local.status !== 'ok') refuse('localuser', local.status)
    if (remote.status === 'bad_user_credentials') refuse('remotepassword', remote.status)
    if (remote.status.startsWith('certificate_')) refuse('certificate', remote.status)
    if (remote.status !== 'ok') refuse('remotehostname', remote.status)
  }

  'create-task'(data) {
    if (data.localuser === 'crash') throw new Error('the agent was stopped')
    this.check(data)
    const { remotepassword, start, certificate, confirm_certificate, ...fields } = data
    const former = this.tasks.get(key(data))
    const source = this.sources.get(data.source)
    if (source) Object.assign(fields, { remotehostname: source.hostname, security: source.security })
    const task = {
      last_sync_timestamp: null,
      last_sync_exit_code: null,
      last_sync_error: null,
      last_sync_duration: null,
      last_sync_messages: null,
      has_log: false,
      ...former,
      ...fields,
      remoteport: String(source?.port ?? data.remoteport),
      remotepassword: '',
      exclude: data.exclude && `,${data.exclude}`,
      certificate: certificate ?? former?.certificate ?? null,
    }
    this.tasks.set(key(task), task)
    if (start !== false) {
      this.start(task)
      this.runs.get(key(task)).pace = 6
    }
  }

  each(tasks, word, act) {
    return {
      results: tasks.map(({ localuser, task_id }) => {
        const found = this.tasks.get(key({ localuser, task_id }))
        if (!found) return { localuser, task_id, result: 'refused', error: 'task_not_found' }
        return { localuser, task_id, result: act(found) ?? word, error: null }
      }),
    }
  }

  'start-task'({ tasks }) {
    return this.each(tasks, 'started', (task) => {
      if (this.runs.has(key(task))) return 'already_running'
      this.start(task)
    })
  }

  'stop-task'({ tasks }) {
    return this.each(tasks, 'stopped', (task) => (this.runs.delete(key(task)) ? 'stopped' : 'not_running'))
  }

  'delete-task'({ tasks }) {
    return this.each(tasks, 'deleted', (task) => {
      this.runs.delete(key(task))
      this.tasks.delete(key(task))
    })
  }

  'update-tasks'({ tasks, cron, on_hold, batch }) {
    return this.each(tasks, 'updated', (task) => {
      if (cron !== undefined) task.cron = cron
      if (on_hold !== undefined) task.on_hold = on_hold
      if (batch !== undefined) task.batch = batch
    })
  }

  'get-job'({ job, results }) {
    const { rows, stop, ...standing } = this.bulkJobs.get(job) ?? { state: 'none', started: null, ended: null, total: 0, done: 0 }
    return { ...standing, results: results && standing.ended ? rows : null }
  }

  'stop-job'({ job }) {
    const running = this.bulkJobs.get(job)
    if (running?.state === 'running') running.stop = true
    return ''
  }

  async 'import-tasks'({ mode, tasks, batch }, onProgress, pause) {
    const job = { state: 'running', started: seconds(), ended: null, total: tasks.length, done: 0, rows: [], stop: false }
    this.bulkJobs.set(mode === 'check' ? 'check' : 'import', job)
    const summary = await this.importRows({ mode, tasks }, onProgress, pause, job)
    for (const { localuser, task_id, result } of batch && mode !== 'check' ? summary.results : []) {
      if (result !== 'refused') this.tasks.get(`${localuser}/${task_id}`).batch = batch
    }
    Object.assign(job, { state: job.stop ? 'stopped' : 'finished', ended: seconds(), rows: summary.results })
    return summary
  }

  async importRows({ mode, tasks }, onProgress, pause, job) {
    const summary = { results: [], created: 0, updated: 0, skipped: 0, refused: 0, valid: 0 }
    for (const [at, row] of tasks.entries()) {
      await pause(this.rowPace)
      job.done++
      onProgress(Math.floor(((at + 1) / tasks.length) * 100))
      const twin = [...this.tasks.values()].find((task) => task.localuser === row.localuser && task.remoteusername === row.remoteusername)
      const task_id = twin?.task_id ?? `i${randomUUID().slice(0, 6)}`
      let result = mode === 'check' ? 'valid' : twin ? (mode === 'skip' ? 'skipped' : 'updated') : 'created'
      let errors = []
      if (job.stop) {
        summary.refused++
        summary.results.push({ row: at + 1, localuser: row.localuser, task_id: '', result: 'refused', errors: [{ parameter: '(root)', error: 'not_tried' }] })
        continue
      }
      try {
        this.check(row)
        if (result === 'created' || result === 'updated') {
          this['create-task']({
            task_id,
            cron: '',
            exclude: '',
            foldersynchronization: 'all',
            delete_local: false,
            delete_remote: false,
            delete_remote_older: 0,
            sieve_enabled: false,
            ...row,
            start: row.start ?? true,
          })
        }
      } catch (error) {
        result = 'refused'
        errors = error.errors.map(({ parameter, error: reason }) => ({ parameter, error: reason }))
      }
      summary[result]++
      summary.results.push({ row: at + 1, localuser: row.localuser, task_id, result, errors })
    }
    return summary
  }

  'compare-again'({ tasks }) {
    return this.each(tasks, 'forgotten', () => {})
  }

  'confirm-deletions'({ tasks }) {
    return this.each(tasks, 'confirmed', () => {})
  }

  'resume-schedules'() {
    this.configuration.schedules_paused = false
  }

  'get-status'() {
    return {
      instance: 'imapsync1',
      node: '1',
      node_ui_name: 'Main office',
      services: [{ name: 'imapsync', active: true, failed: false, enabled: true }],
      images: [{ name: 'ghcr.io/nethserver/imapsync:1.0.0', size: '24 MB', created: '' }],
    }
  }

  'get-name'() {
    return { name: 'Migration from the old server' }
  }

  'list-backup-repositories'() {
    return { repositories: [{ id: 'r1', name: 'Backblaze' }] }
  }

  'list-backups'() {
    return {
      backups: [{ id: 1, name: 'Every night', enabled: true, instances: [{ module_id: 'imapsync1', status: { success: true, end: seconds() - 30_000 } }] }],
    }
  }
}
