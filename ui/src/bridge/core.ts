// SPDX-License-Identifier: GPL-3.0-or-later
// What the page uses of cluster-admin, its parent. `core` is a Vue 2 instance: it must never be
// made reactive here, so it is fetched again and not kept in any state.

/** A listener of the parent's event bus. */
export type Listener = (...values: never[]) => void

/** A location of the parent's router. */
export interface CoreRoute {
  path: string
  query: Record<string, string>
}

/** The part of cluster-admin's `core` that the page knows. */
export interface Core {
  $root: {
    apiUrl: string
    $i18n: { locale: string }
    $on(event: string, listener: Listener): void
    $off(event: string, listener: Listener): void
    $emit(event: string, ...values: unknown[]): void
  }
  $router: {
    push(location: { path: string; query: Record<string, string> }): Promise<unknown> | void
    replace(location: { path: string; query: Record<string, string> }): Promise<unknown> | void
    afterEach(hook: (to: CoreRoute) => void): () => void
  }
  $t(key: string): string
  $te(key: string): boolean
}

type Parent = Window & { core?: Core; CONFIG?: { PRODUCT_NAME?: string } }

const parent = (): Parent => window.parent as Parent

/** The parent's `core`; the page cannot work without it. */
export function core(): Core {
  const found = parent().core
  if (!found) throw new Error('this page works inside cluster-admin only')
  return found
}

/** The name of this instance, as in the parent's address. */
export function instanceName(): string {
  return /#\/apps\/([a-zA-Z0-9_-]+)/.exec(parent().location.hash)?.[1] ?? ''
}

/** The token of the session; the parent renews it, so it is read for each request. */
export function token(): string {
  try {
    const stored = JSON.parse(localStorage.getItem('loginInfo') ?? '{}') as { token?: string }
    return stored.token ?? ''
  } catch {
    return ''
  }
}

/** Shows the page's title in the browser's tab. */
export function setTitle(title: string): void {
  document.title = title
  const product = parent().CONFIG?.PRODUCT_NAME
  parent().document.title = product ? `${title} - ${product}` : title
}

const disposers = new Set<() => void>()

/** Runs `dispose` when the page goes, unless the function it returns ran it before. */
export function onLeave(dispose: () => void): () => void {
  const once = () => {
    if (disposers.delete(once)) dispose()
  }
  disposers.add(once)
  return once
}

/** Everything left in the parent is taken back: it outlives this page by hours. */
export function leave(): void {
  for (const dispose of [...disposers]) dispose()
}

/** Connects the page to its parent. */
export function connect(): void {
  core().$root.$emit('configureKeyboardShortcuts', window)
  window.addEventListener('pagehide', leave)
}
