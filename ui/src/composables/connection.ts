// SPDX-License-Identifier: GPL-3.0-or-later
// Whether the cluster still answers: numbers that stand still must say so.
import { ref } from 'vue'
import { ActionFailure } from '../bridge/action.ts'

/** Why there is no news, and since when; null while there is some. */
export const silence = ref<{ kind: 'offline' | 'session' | 'module'; since: number } | null>(null)
let last = Date.now()

/** An answer came. */
export function answered(): void {
  last = Date.now()
  silence.value = null
}

/** An answer did not come. */
export function missed(error: unknown): void {
  const kind = error instanceof ActionFailure ? error.kind : 'aborted'
  if (kind === 'left' || kind === 'refused') return
  silence.value = { kind: kind === 'offline' || kind === 'session' ? kind : 'module', since: last }
}
