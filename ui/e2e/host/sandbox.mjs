// SPDX-License-Identifier: GPL-3.0-or-later
// The real actions on real mail: a node in a box, started by the project's sandbox.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Platform, Refusal } from './platform.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const PROGRAM = process.env.SANDBOX_PROGRAM ?? `${root}target/debug/sandbox`

/** What the platform itself answers on a node. */
const PLATFORM_ACTIONS = {
  'get-status': {
    instance: 'imapsync1',
    node: '1',
    node_ui_name: '',
    services: [{ name: 'imapsync', active: true, failed: false, enabled: true }],
    images: [],
  },
  'get-name': { name: '' },
  'list-backup-repositories': { repositories: [] },
  'list-backups': { backups: [] },
}

export class SandboxNode extends Platform {
  /**
   * Starts the sandbox and waits until it is ready. The image root is the one that SANDBOX_IMAGEROOT names, else
   * the sandbox makes one of the checkout.
   */
  static async start(...options) {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: cargo build --package sandbox`)
    // It lives until its standard input closes, so it goes when this process does, in whatever way. It has a
    // group of its own: Ctrl-C reaches this process, which then ends it in order.
    const process_ = spawn(PROGRAM, ['run', ...options], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
    let text = ''
    await new Promise((resolve, reject) => {
      process_.on('exit', (code) => reject(new Error(`the sandbox ended with ${code}`)))
      createInterface(process_.stdout).on('line', (line) => {
        if (line.startsWith('sandbox is ready: ')) resolve()
        else text += line
      })
    })
    const node = new SandboxNode()
    node.process = process_
    node.info = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1))
    return node
  }

  async close() {
    super.close()
    const gone = new Promise((resolve) => this.process.on('exit', resolve))
    this.process.stdin.end()
    await gone
  }

  /** Runs a verb of the sandbox with a text on its standard input. */
  verb(words, input = '') {
    return new Promise((resolve, reject) => {
      const child = spawn(PROGRAM, ['--sandbox', this.info.sandbox, ...words], { stdio: ['pipe', 'pipe', 'pipe'] })
      let output = ''
      let errors = ''
      child.stdout.on('data', (chunk) => (output += chunk))
      child.stderr.on('data', (chunk) => (errors += chunk))
      child.on('error', reject)
      // A program that never reads its input is no fault.
      child.stdin.on('error', () => {})
      child.on('close', (code) => resolve({ code, output, errors }))
      child.stdin.end(input)
    })
  }

  async perform(job) {
    const known = PLATFORM_ACTIONS[job.action]
    if (known) return known
    const { code, output, errors } = await this.verb(['action', job.action], JSON.stringify(job.data ?? {}))
    const answer = output.trim() === '' ? '' : JSON.parse(output)
    if (code === 0) return answer
    if (Array.isArray(answer)) throw new Refusal(answer)
    throw new Error(errors || `${job.action} ended with ${code}`)
  }

  /** Creates users, or gives them another password. */
  async addUsers(side, password, ...users) {
    const { code, errors } = await this.verb(['add-users', side, '--password', password, ...users])
    if (code !== 0) throw new Error(errors)
  }

  /** Puts generated mail into a mailbox. */
  async deliver(side, user, messages, seed) {
    const { code, errors } = await this.verb(['deliver', side, user, '--messages', String(messages), '--seed', String(seed)])
    if (code !== 0) throw new Error(errors)
  }

  async mailbox(side, user) {
    return JSON.parse((await this.verb(['mailbox', side, user])).output)
  }
}
