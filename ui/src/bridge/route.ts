// SPDX-License-Identifier: GPL-3.0-or-later
// Where the administrator is lives in the parent's address, so that links, reload and the
// browser's back button work.
import { shallowRef } from 'vue'
import { core, instanceName, onLeave } from './core.ts'

/** A page, and what it was asked to show. */
export interface Route {
  page: string
  query: Record<string, string>
}

/** What stands in the parent's address. */
export function readRoute(): Route {
  const [, search = ''] = window.parent.location.hash.split('?')
  const { page, ...query } = Object.fromEntries(new URLSearchParams(search))
  return { page: page || 'status', query }
}

/** The current route. */
export const route = shallowRef<Route>({ page: 'status', query: {} })

const visited = new Map<string, Record<string, string>>()

/** The query that a page was last seen with. */
export const lastQuery = (page: string): Record<string, string> => visited.get(page) ?? {}

function setRoute(target: Route): void {
  visited.set(target.page, target.query)
  route.value = target
}

const same = (one: Route, other: Route) =>
  JSON.stringify([one.page, Object.entries(one.query).sort()]) === JSON.stringify([other.page, Object.entries(other.query).sort()])

let guard: ((next: () => void) => boolean) | null = null

/** Lets `check` hold a change of route back; it may call `next` later. */
export function setGuard(check: ((next: () => void) => boolean) | null): void {
  guard = check
}

function write(target: Route, how: 'push' | 'replace'): void {
  const path = `/apps/${instanceName()}`
  // The router rejects a move to where it is already, and moves it was asked to drop.
  void Promise.resolve(core().$router[how]({ path, query: { page: target.page, ...target.query } })).catch(() => {})
}

function go(page: string, query: Record<string, string>, how: 'push' | 'replace'): void {
  const kept = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''))
  const target = { page, query: kept }
  if (same(target, route.value)) return
  const move = () => {
    setRoute(target)
    write(target, how)
  }
  if (guard && !guard(move)) return
  move()
}

/** Goes to a page; the back button returns. */
export const navigate = (page: string, query: Record<string, string> = {}): void => go(page, query, 'push')

/** Changes the address without a step for the back button. */
export const amend = (query: Record<string, string>): void => go(route.value.page, query, 'replace')

/** A link that opens a page in a new tab. */
export function href(page: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams({ page, ...query })
  return `${window.parent.location.pathname}#/apps/${instanceName()}?${search}`
}

/** Follows the parent's router. */
export function followRoute(): void {
  setRoute(readRoute())
  const instance = instanceName()
  const stop = core().$router.afterEach((to) => {
    if (to.path !== `/apps/${instance}`) return
    const { page, ...query } = to.query
    const target = { page: page || 'status', query }
    if (same(target, route.value)) return
    const move = () => {
      setRoute(target)
      write(target, 'replace')
    }
    if (guard && !guard(move)) write(route.value, 'push')
    else setRoute(target)
  })
  onLeave(stop)
}
