// SPDX-License-Identifier: GPL-3.0-or-later
// Where the administrator is lives in the parent's address, so that links, reload and the
// browser's back button work.
import { shallowRef } from 'vue'
import { core, instanceName, onLeave } from './core.ts'

/** A place in the page. */
export interface Place {
  page: string
  query: Record<string, string>
}

/** What stands in the parent's address. */
export function readPlace(): Place {
  const [, search = ''] = window.parent.location.hash.split('?')
  const { page, ...query } = Object.fromEntries(new URLSearchParams(search))
  return { page: page || 'status', query }
}

/** The current place. */
export const place = shallowRef<Place>({ page: 'status', query: {} })

const visited = new Map<string, Record<string, string>>()

/** The query that a page was last seen with. */
export const lastQuery = (page: string): Record<string, string> => visited.get(page) ?? {}

function enter(target: Place): void {
  visited.set(target.page, target.query)
  place.value = target
}

const same = (one: Place, other: Place) =>
  JSON.stringify([one.page, Object.entries(one.query).sort()]) === JSON.stringify([other.page, Object.entries(other.query).sort()])

let guard: ((next: () => void) => boolean) | null = null

/** Lets `check` hold a change of place back; it may call `next` later. */
export function setGuard(check: ((next: () => void) => boolean) | null): void {
  guard = check
}

function write(target: Place, how: 'push' | 'replace'): void {
  const path = `/apps/${instanceName()}`
  // The router rejects a move to where it is already, and moves it was asked to drop.
  void Promise.resolve(core().$router[how]({ path, query: { page: target.page, ...target.query } })).catch(() => {})
}

function go(page: string, query: Record<string, string>, how: 'push' | 'replace'): void {
  const kept = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''))
  const target = { page, query: kept }
  if (same(target, place.value)) return
  const move = () => {
    enter(target)
    write(target, how)
  }
  if (guard && !guard(move)) return
  move()
}

/** Goes to a place; the back button returns. */
export const navigate = (page: string, query: Record<string, string> = {}): void => go(page, query, 'push')

/** Changes the address without a step for the back button. */
export const amend = (query: Record<string, string>): void => go(place.value.page, query, 'replace')

/** A link that opens the place in a tab of its own. */
export function href(page: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams({ page, ...query })
  return `${window.parent.location.pathname}#/apps/${instanceName()}?${search}`
}

/** Follows the parent's router. */
export function followRoute(): void {
  enter(readPlace())
  const instance = instanceName()
  const stop = core().$router.afterEach((to) => {
    if (to.path !== `/apps/${instance}`) return
    const { page, ...query } = to.query
    const target = { page: page || 'status', query }
    if (same(target, place.value)) return
    const move = () => {
      enter(target)
      write(target, 'replace')
    }
    if (guard && !guard(move)) write(place.value, 'push')
    else enter(target)
  })
  onLeave(stop)
}
