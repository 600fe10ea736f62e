// SPDX-License-Identifier: GPL-3.0-or-later
// Runs an action through cluster-admin and turns its events into one promise.
import { core, instanceName, onLeave, token, type Listener } from './core.ts'

/** One refusal of an action, as the agent hands it on. */
export interface FieldError {
  field?: string
  parameter?: string
  value?: unknown
  error: string
}

/** Why an action gave no answer. */
export type FailureKind = 'refused' | 'aborted' | 'timeout' | 'offline' | 'session' | 'left'

/** An action that gave no answer. */
export class ActionFailure extends Error {
  constructor(
    readonly kind: FailureKind,
    readonly errors: FieldError[] = [],
    readonly detail = '',
  ) {
    super(`${kind}${detail ? `: ${detail}` : ''}`)
  }
}

/** How to run an action. */
export interface RunOptions {
  title: string
  description?: string
  /** Who runs it: this module, or the cluster. */
  target?: 'module' | 'cluster'
  /** Quiet actions leave no entry among the administrator's notifications. */
  quiet?: boolean
  onProgress?: (percent: number) => void
  /** Milliseconds to wait for the answer. */
  timeout?: number
}

interface TaskResult {
  output: unknown
  error: string
  exit_code: number
}

/** The parent stores a task right after its events; only then can it be made to forget it. */
const FORGET_AFTER = 500
/** After an answer that was asked for, or none, the event may still arrive, and with it the parent's entry. */
const LATE_AT_MOST = 600_000
/** An event lost with the connection is made up for by asking. */
const ASK_EVERY = 15_000
const WAIT_AT_MOST = 120_000
const TOKEN_RENEWAL = 1_500

function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

async function request(path: string, body?: unknown): Promise<Response> {
  const send = () =>
    fetch(`${core().$root.apiUrl}/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { Authorization: `Bearer ${token()}`, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  const offline = () => {
    throw new ActionFailure('offline')
  }
  const response = await send().catch(offline)
  if (response.status !== 401) return response
  await new Promise((resolve) => setTimeout(resolve, TOKEN_RENEWAL))
  return send().catch(offline)
}

/** Runs `action` and resolves with its output, or rejects with an ActionFailure. */
export async function runAction<T>(action: string, data: unknown, options: RunOptions): Promise<T> {
  const owner = options.target === 'cluster' ? 'cluster' : `module/${instanceName()}`
  const eventId = uuid()
  const bus = core().$root
  let taskId = ''
  let settled = false
  /** Whether the event that ends the task has come. */
  let heard = false

  const forget = () => {
    if (options.quiet && taskId) bus.$emit('deleteNotificationForApp', taskId)
  }

  return new Promise<T>((resolve, reject) => {
    const settle = (finish: () => void, stored: boolean) => {
      if (settled) return
      settled = true
      stop()
      finish()
      if (!stored) return
      forgetIn(FORGET_AFTER)
      if (!heard && options.quiet) forgetLate()
    }
    /** The parent stores the task again when the event arrives that no one waited for. */
    const forgetLate = () => {
      const done = onLeave(() => {
        clearTimeout(timer)
        for (const event of endings) bus.$off(event, late)
      })
      const late = () => {
        done()
        forgetIn(FORGET_AFTER)
      }
      const timer = setTimeout(done, LATE_AT_MOST)
      for (const event of endings) bus.$on(event, late)
    }
    const forgetIn = (delay: number) => {
      const now = onLeave(() => {
        clearTimeout(timer)
        forget()
      })
      const timer = setTimeout(now, delay)
    }
    const fail = (failure: ActionFailure, stored = true) => settle(() => reject(failure), stored)
    const finished = (result: TaskResult, told: boolean) => {
      heard = told
      if (result.exit_code === 0) settle(() => resolve(result.output as T), true)
      else if (Array.isArray(result.output)) fail(new ActionFailure('refused', result.output))
      else fail(new ActionFailure('aborted', [], result.error))
    }

    const listeners: Record<string, Listener> = {
      [`${action}-completed-${eventId}`]: (_context: never, result: never) => finished(result, true),
      [`${action}-aborted-${eventId}`]: (result: never) => finished({ exit_code: 1, output: null, error: '', ...(result as object) }, true),
      [`${action}-validation-failed-${eventId}`]: (errors: never) => {
        heard = true
        fail(new ActionFailure('refused', errors))
      },
    }
    const endings = Object.keys(listeners)
    if (options.onProgress) {
      listeners[`${action}-progress-${eventId}`] = (percent: never) => options.onProgress?.(percent)
    }
    for (const [event, listener] of Object.entries(listeners)) bus.$on(event, listener)

    const deadline = setTimeout(() => fail(new ActionFailure('timeout')), options.timeout ?? WAIT_AT_MOST)
    const asking = setInterval(() => {
      if (taskId) void ask()
    }, ASK_EVERY)
    const ask = async () => {
      const response = await request(`${owner}/task/${taskId}/status`).catch(() => null)
      if (!response?.ok) return
      const { data } = (await response.json()) as { data: TaskResult }
      finished(data, false)
    }
    const left = onLeave(() => fail(new ActionFailure('left'), false))
    const stop = onLeave(() => {
      clearTimeout(deadline)
      clearInterval(asking)
      for (const [event, listener] of Object.entries(listeners)) bus.$off(event, listener)
      left()
    })

    const extra = {
      title: options.title,
      description: options.description ?? '',
      eventId,
      isNotificationHidden: options.quiet ?? false,
      isProgressNotified: options.onProgress !== undefined,
    }
    const submit = async () => {
      const response = await request(`${owner}/tasks`, { action, data, extra })
      if (response.status === 401 || response.status === 403) throw new ActionFailure('session')
      if (!response.ok) throw new ActionFailure('aborted', [], `HTTP ${response.status}`)
      const body = (await response.json()) as { data: { id: string } }
      taskId = body.data.id
    }
    submit().catch((error: unknown) => {
      fail(error instanceof ActionFailure ? error : new ActionFailure('offline'), false)
    })
  })
}
