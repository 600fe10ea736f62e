// SPDX-License-Identifier: GPL-3.0-or-later
// A parent for tests of the bridge: its bus, its router, and a server behind `fetch`.
import { vi } from 'vitest'
import type { Core, Listener } from '../src/bridge/core.ts'

export interface Posted {
  url: string
  token: string
  action: string
  data: unknown
  extra: { eventId: string; isNotificationHidden: boolean; isProgressNotified: boolean }
}

export function fakeCore() {
  const listeners = new Map<string, Listener[]>()
  const hooks = new Set<(to: { path: string; query: Record<string, string> }) => void>()
  const emitted: [string, unknown[]][] = []
  const posted: Posted[] = []
  const status = { post: 201, result: null as unknown }

  const core: Core = {
    $root: {
      apiUrl: '/api',
      $i18n: { locale: 'en' },
      $on: (event, listener) => void listeners.set(event, [...(listeners.get(event) ?? []), listener]),
      $off: (event, listener) => {
        const left = (listeners.get(event) ?? []).filter((other) => other !== listener)
        if (left.length > 0) listeners.set(event, left)
        else listeners.delete(event)
      },
      $emit: (event, ...values) => {
        emitted.push([event, values])
        for (const listener of listeners.get(event) ?? []) listener(...(values as never[]))
      },
    },
    $router: {
      push: (target) => void move(target),
      replace: (target) => void move(target),
      afterEach: (hook) => {
        hooks.add(hook)
        return () => hooks.delete(hook)
      },
    },
    $t: (key) => key,
    $te: () => false,
  }
  const move = (target: { path: string; query: Record<string, string> }) => {
    window.location.hash = `#${target.path}?${new URLSearchParams(target.query)}`
    for (const hook of hooks) hook(target)
  }

  vi.stubGlobal('fetch', async (url: string, init: { method: string; headers: Record<string, string>; body?: string }) => {
    if (status.post === 0) throw new TypeError('Failed to fetch')
    const token = init.headers.Authorization ?? ''
    if (init.method === 'GET') {
      return status.result ? new Response(JSON.stringify({ data: status.result })) : new Response('{}', { status: 400 })
    }
    posted.push({ url, token, ...JSON.parse(init.body!) })
    const code = status.post
    return new Response(JSON.stringify({ code, data: { id: `task-${posted.length}` } }), { status: code })
  })
  ;(window as unknown as { core: Core }).core = core
  window.location.hash = '#/apps/imapsync1?page=tasks&q=x'
  localStorage.setItem('loginInfo', JSON.stringify({ username: 'admin', token: 'first' }))

  const last = () => posted.at(-1)!
  const answer = (kind: string, ...values: unknown[]) => core.$root.$emit(`${last().action}-${kind}-${last().extra.eventId}`, ...values)
  return { core, listeners, hooks, emitted, posted, status, move, last, answer }
}
