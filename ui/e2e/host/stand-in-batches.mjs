// SPDX-License-Identifier: GPL-3.0-or-later
// A STAND-IN for the actions about batches, in memory.
import { key, seconds, SourcesStandIn } from './stand-in-sources.mjs'

const STEPS = ['last_delta', 'lower_ttl', 'change_mx', 'final_delta', 'verify', 'end_schedules', 'done']
const NO_STEPS = Object.fromEntries(STEPS.map((step) => [step, null]))

/** The actions about batches; what plays the tasks holds them in `tasks` and `runs`. */
export class BatchesStandIn extends SourcesStandIn {
  constructor() {
    super()
    this.batchJobs = new Map()
    this.startAt = new Map()
    /** The steps of each batch that are done, with their moments. */
    this.cutover = new Map()
    this.found = { assess: new Map(), verify: new Map() }
    this.jobPace = 0.5
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
}
