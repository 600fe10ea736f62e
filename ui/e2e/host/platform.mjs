// SPDX-License-Identifier: GPL-3.0-or-later
// The cluster's HTTP API and WebSocket as cluster-admin uses them. Who performs the actions is for
// the subclass to say.
import { randomUUID } from 'node:crypto'

/** A refusal of an action's input: the agent's form, one error for each field. */
export class Refusal extends Error {
  constructor(errors) {
    super(errors.map((error) => error.error).join(', '))
    this.errors = errors
  }
}

export class Platform {
  constructor() {
    this.clients = new Set()
    this.jobs = new Map()
    this.tokens = new Set()
    /** Every task that was posted, for tests to look at. */
    this.requests = []
    /** While set, connections break, as when the network is gone. */
    this.offline = false
  }

  close() {
    for (const client of this.clients) client.terminate()
  }

  /** Answers a request below `api/`. */
  async handle(request, response, path) {
    const answer = (status, body) =>
      response
        .writeHead(status, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ code: status, message: status < 300 ? 'success' : 'failure', ...body }))
    let body = ''
    for await (const chunk of request) body += chunk
    if (this.offline) return request.socket.destroy()
    if (path === 'login') {
      const token = randomUUID()
      this.tokens.add(token)
      return answer(200, { expire: new Date(Date.now() + 3_600_000).toISOString(), token })
    }
    if (!this.tokens.has(request.headers.authorization?.replace('Bearer ', ''))) return answer(401, {})
    const parts = /^(cluster|(?:node|module)\/[^/]+)\/(?:tasks|task\/([^/]+)\/(context|status))$/.exec(path)
    if (!parts) return answer(404, {})
    const [, owner, id, what] = parts
    if (request.method === 'POST') {
      const job = { id: randomUUID(), owner, ...JSON.parse(body) }
      this.jobs.set(job.id, job)
      this.requests.push(job)
      answer(201, { data: { ...JSON.parse(body), id: job.id } })
      return void this.run(job)
    }
    const job = this.jobs.get(id)
    if (!job) return answer(404, {})
    if (what === 'context') return answer(200, { data: { context: { id, action: job.action, data: job.data, extra: job.extra } } })
    return job.result ? answer(200, { data: job.result }) : answer(400, {})
  }

  /** Takes a WebSocket in. */
  join(client) {
    this.clients.add(client)
    client.on('close', () => this.clients.delete(client))
  }

  say(job, status, progress) {
    const message = JSON.stringify({ name: `progress/${job.owner}/task/${job.id}`, type: 'task', payload: { status, progress } })
    for (const client of this.clients) client.send(message)
  }

  async run(job) {
    this.say(job, 'pending', 0)
    let status = 'completed'
    try {
      this.say(job, 'running', 0)
      const output = await this.perform(job, (percent) => this.say(job, 'running', percent))
      job.result = { output: output ?? '', error: '', exit_code: 0 }
    } catch (error) {
      status = error instanceof Refusal ? 'validation-failed' : 'aborted'
      job.result = { output: error.errors ?? '', error: error.message, exit_code: error.errors ? 10 : 1 }
    }
    this.say(job, status, 100)
  }
}
