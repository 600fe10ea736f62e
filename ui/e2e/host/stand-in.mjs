// SPDX-License-Identifier: GPL-3.0-or-later
// A STAND-IN for the cluster and the module's actions, in memory: for work on the page and for the
// cases that real servers make hard to reach (two thousand tasks, every state at once, a lost
// connection). It speaks the protocol of the platform; what the actions really do is tested against
// the sandbox.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { FINGERPRINT, key, refuse, seconds, SourcesStandIn } from './stand-in-sources.mjs'

const HOSTS = ['imap.gmail.com', 'outlook.office365.com', 'imap.example.com', 'mail.acme.org']
const FIRST = ['anna', 'bruno', 'carla', 'dario', 'elena', 'franco', 'greta', 'hugo', 'irene', 'jonas', 'karin', 'luca']
const LAST = ['rossi', 'bianchi', 'meier', 'dupont', 'garcia', 'novak', 'smith', 'keller']
const FOLDERS = ['INBOX', 'Archive', 'Archive/2023', 'Archive/2024', 'Drafts', 'Sent', 'Spam', 'Trash', 'Work', 'Work/Acme, Inc.', 'Privat/Förderverein']
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

const STEPS = ['last_delta', 'lower_ttl', 'change_mx', 'final_delta', 'verify', 'end_schedules', 'done']
const NO_STEPS = Object.fromEntries(STEPS.map((step) => [step, null]))

/** Roughly when a schedule starts something. */
function nextRun({ cron, on_hold }) {
  const [, amount, unit] = /^(\d+)([mh])/.exec(cron) ?? []
  const step = unit === 'm' ? amount * 60 : unit === 'h' ? amount * 3600 : 86_400
  return cron === '' || on_hold ? null : Math.ceil((seconds() + 1) / step) * step
}

export class StandIn extends SourcesStandIn {
  constructor({ tasks = 0, configured = true, delay = 20, sources = false, batch = '' } = {}) {
    super()
    this.delay = delay
    /** The batch that all tasks belong to from the beginning. */
    this.batch = batch
    this.batchJobs = new Map()
    this.startAt = new Map()
    this.bulkJobs = new Map()
    /** How long a row of an import takes, in milliseconds. */
    this.rowPace = 0.5
    /** The steps of each batch that are done, with their moments. */
    this.cutover = new Map()
    this.found = { assess: new Map(), verify: new Map() }
    this.jobPace = 0.5
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

  'get-batch'({ batch }) {
    const members = [...this.tasks.values()].filter((task) => task.batch === batch)
    const parts = members.map((task) => {
      const run = this.runs.get(key(task))
      if (run?.state === 'running') return [run.done, run.total]
      return task.last_sync_exit_code === 0 ? [task.mailbox_messages, task.mailbox_messages] : [task.last_sync_messages ?? 0, null]
    })
    const messages_done = parts.reduce((sum, [done]) => sum + done, 0)
    const messages_total = parts.reduce((sum, [done, total]) => sum + (total ?? done), 0)
    const rate = members.filter((task) => this.runs.get(key(task))?.state === 'running').length * 2_000_000
    const moved = messages_done > 0
    return {
      tasks: members.length,
      uncounted: parts.filter(([, total]) => total === null).length,
      messages_done,
      messages_total,
      bytes_done: messages_done * 26_500,
      bytes_total: messages_total * 26_500,
      assess: this.batchJobs.get(`assess ${batch}`) ?? null,
      verify: this.batchJobs.get(`verify ${batch}`) ?? null,
      rate,
      cutover: { ...NO_STEPS, ...this.cutover.get(batch) },
      start_at: this.startAt.get(batch) ?? null,
      seconds_left: rate === 0 ? null : Math.round(((messages_total - messages_done) * 26_500) / rate),
      throughput: moved
        ? { from: seconds() - 3600, step: 76, bytes: Array.from({ length: 48 }, (_, at) => Math.round(9e7 * (1 + Math.sin(at / 5)))) }
        : { from: 0, step: 0, bytes: [] },
    }
  }

  'set-batch-step'({ batch, step, done }) {
    this.cutover.set(batch, { ...this.cutover.get(batch), [step]: done ? seconds() : null })
    return ''
  }

  'check-domains'() {
    const old = { domain: 'old.org', status: 'ok', mx: [{ preference: 10, host: 'mx.old.org' }], ttl: 300 }
    return { domains: [old, { domain: 'gone.example', status: 'no_such_name', mx: [], ttl: null }], left_out: 0 }
  }

  'start-batch'({ batch, at }) {
    const members = [...this.tasks.values()].filter((task) => task.batch === batch && !this.runs.has(key(task)))
    if (at === null) this.startAt.delete(batch)
    else this.startAt.set(batch, at)
    return { tasks: members.length }
  }

  /** A job of a batch goes through its tasks one by one, and can be stopped. */
  async batchJob(kind, { batch, deep = false }, pause, find) {
    const id = `${kind} ${batch}`
    if (this.batchJobs.get(id)?.state === 'running') return { result: 'already_running' }
    const job = { state: 'running', started: seconds(), ended: null, deep, done: 0 }
    this.batchJobs.set(id, job)
    for (const task of [...this.tasks.values()].filter((one) => one.batch === batch)) {
      await pause(this.jobPace)
      if (job.stop) {
        job.state = 'incomplete'
        return { result: 'stopped' }
      }
      this.found[kind].set(key(task), find(task))
      job.done++
    }
    Object.assign(job, { state: 'finished', ended: seconds() })
    return { result: 'finished' }
  }

  'assess-batch'(data, _, pause) {
    return this.batchJob('assess', data, pause, (task) => {
      const bad = task.last_sync_error === 'bad_user_credentials'
      const large = task.remotehostname === 'imap.example.com'
      return {
        at: seconds(),
        verdict: bad ? 'no_go' : large ? 'look' : 'go',
        remote: bad ? 'bad_user_credentials' : 'ok',
        local: 'ok',
        folders: bad ? 0 : 11,
        messages: bad ? 0 : 11_374,
        bytes: bad ? 0 : 301_411_000,
        largest: bad ? 0 : 41_000_000,
        too_large: large && !bad ? 2 : 0,
        quota: bad ? null : { used: 1_000_000, limit: 5_000_000_000 },
        duration: bad ? null : { seconds: 301, rate: 1_000_000, basis: large ? 'any_server' : 'former_runs' },
        warnings: bad ? [] : large ? ['too_large', 'special'] : ['special'],
        unreadable: [],
        special: bad ? [] : [{ remote: 'Gesendet', local: 'Sent' }],
        renamed: [],
      }
    })
  }

  'verify-batch'(data, _, pause) {
    return this.batchJob('verify', data, pause, (task) => {
      const none = { folders: 0, remote_messages: 0, local_messages: 0, missing: 0, extra: 0, different: 0, gone: 0, not_as_recorded: 0, unreadable: 0 }
      if (task.last_sync_error) return { at: seconds(), status: task.last_sync_error, ...none }
      const missing = task.remotehostname === 'imap.example.com' ? 1 : 0
      const figures = { folders: 11, remote_messages: 11_374, local_messages: 11_374 - missing, missing }
      return { at: seconds(), status: missing ? 'differ' : 'agree', ...none, ...figures }
    })
  }

  'stop-batch-job'({ batch, job }) {
    const found = this.batchJobs.get(`${job} ${batch}`)
    if (found) found.stop = true
  }

  'get-batch-report'({ batch }) {
    const members = [...this.tasks.values()].filter((task) => task.batch === batch)
    const tasks = members.map(({ localuser, task_id, remoteusername, remotehostname }) => ({
      localuser,
      task_id,
      remoteusername,
      remotehostname,
      assessment: this.found.assess.get(`${localuser}/${task_id}`) ?? null,
      verification: this.found.verify.get(`${localuser}/${task_id}`) ?? null,
    }))
    return { tasks }
  }

  'get-verification'(data) {
    const found = this.found.verify.get(key(data))
    return { at: found?.at ?? null, answer: found ? this['verify-task'](data) : null }
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

  'browse-folders'(data) {
    if (data.remotehostname) {
      const { remote } = this['validate-task'](data)
      if (remote.status !== 'ok') return { status: remote.status, message: remote.message }
    }
    const use = { Drafts: '\\Drafts', Sent: '\\Sent', Spam: '\\Junk', Trash: '\\Trash' }
    const folders = FOLDERS.map((name, at) => ({
      name,
      messages: (at * 517) % 2300,
      bytes: ((at * 517) % 2300) * 26_500,
      special_use: use[name] ?? null,
      selectable: true,
      excluded: false,
    }))
    const sum = (field) => folders.reduce((total, folder) => total + folder[field], 0)
    return { folders, messages: sum('messages'), bytes: sum('bytes') }
  }

  'list-informations'(data) {
    if (!this.tasks.has(key(data))) return { status: false }
    return { status: true, host1Folders: 11, host2Folders: 11, host1Messages: 11_374, host2Messages: 11_370, host1Sizes: 301_411_000, host2Sizes: 301_305_000 }
  }

  'get-history'(data) {
    const task = this.tasks.get(key(data))
    if (!task?.last_sync_timestamp) return { runs: [] }
    const runs = Array.from({ length: 42 }, (_, at) => ({
      started: task.last_sync_timestamp - at * 3600,
      ended: task.last_sync_timestamp - at * 3600 + 4 + (at % 9),
      exit_code: at === 0 ? task.last_sync_exit_code : at % 11 === 5 ? 101 : 0,
      error: at === 0 ? task.last_sync_error : null,
      copied: at % 11 === 5 ? 0 : at === 41 ? 1400 : (at * 131) % 170,
      failed: 0,
      deleted: 0,
      bytes: at % 11 === 5 ? 0 : ((at * 131) % 170) * 26_500,
    }))
    return { runs }
  }

  'get-log'(data) {
    const run = this.runs.get(key(data))
    const task = this.tasks.get(key(data))
    if (!run && !task?.last_sync_timestamp) return { log_content: '', truncated: false }
    const wrong = task?.last_sync_exit_code ? 1 : 0
    const problems = []
    const held_back = []
    const tell = (failed, line) => {
      lines.push(line)
      if (failed) problems.push(lines.length)
    }
    const lines = ['Native engine 1.0.0', 'Host1: imap.example.com, TLSv1.3, Dovecot', 'Host2: 10.5.4.1, STARTTLS']
    for (const [at, folder] of FOLDERS.entries()) {
      const failed = at === 4 ? wrong : 0
      if (at === 4 && this.held?.has(key(data))) {
        const reason = 'more than half of the folder would go'
        tell(true, `Error: folder [${folder}]: 57 messages were not deleted locally: ${reason}; confirm these deletions if they are meant`)
        held_back.push({ folder, messages: 57, reason })
      }
      if (failed) tell(true, `Error: message ${folder}/17 <20240102.1234@old.example.com>: NO [LIMIT] Message too large`)
      tell(
        failed,
        `Folder [${folder}] -> [${folder}]: ${(at * 37) % 211} copied, ${(at * 517) % 2300} already there, ${failed} failed, 0 flags, 0 deleted locally, 0 deleted remotely`,
      )
    }
    if (!run) {
      tell(false, 'Messages transferred                    : 1117')
      tell(wrong, `Messages failed                         : ${wrong}`)
      tell(wrong, `Detected ${wrong} errors`)
      tell(wrong, wrong ? 'Exiting with return value 111 (EXIT_WITH_ERRORS)' : 'Exiting with return value 0 (EX_OK)')
    }
    return { log_content: `${lines.join('\n')}\n`, truncated: false, problems, held_back }
  }

  'preview-task'(data) {
    if (this.tasks.get(key(data))?.last_sync_error) return { status: this.tasks.get(key(data)).last_sync_error, message: '' }
    const folders = FOLDERS.slice(0, 5).map((name, at) => ({
      remote: name,
      local: name,
      copy: at * 13,
      bytes: at * 344_500,
      flag: at,
      delete_local: 0,
      delete_remote: at === 3 ? 12 : 0,
    }))
    const sum = (field) => folders.reduce((total, folder) => total + folder[field], 0)
    return {
      folders,
      copy: sum('copy'),
      bytes: sum('bytes'),
      flag: sum('flag'),
      delete_local: 0,
      delete_remote: 12,
      warnings: ['More than half of Archive would be deleted; nothing is deleted there.'],
    }
  }

  'verify-task'({ deep, ...task }) {
    if (this.tasks.get(key(task))?.last_sync_error) return { status: this.tasks.get(key(task)).last_sync_error, message: '' }
    const folders = FOLDERS.map((name, at) => ({
      remote: name,
      local: name,
      remote_messages: at * 517,
      local_messages: at * 517 - (at === 4 ? 1 : 0),
      missing: at === 4 ? 1 : 0,
      extra: 0,
      different: deep && at === 2 ? 1 : 0,
      gone: 0,
      not_as_recorded: 0,
    }))
    const differences = [{ folder: 'Drafts', uid: 17, message_id: '<20240102.1234@old.example.com>', kind: 'missing', remote: 41_200_113, local: null }]
    if (deep) differences.push({ folder: 'Archive/2023', uid: 4, message_id: '<a@b>', kind: 'flags', remote: '\\Seen', local: '' })
    return { agree: false, folders, differences, truncated: false }
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
