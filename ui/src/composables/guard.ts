// SPDX-License-Identifier: GPL-3.0-or-later
// Asks before something is lost because a place in the page, or the page, is left.
import { onBeforeUnmount, onMounted, ref } from 'vue'
import { onLeave } from '../bridge/core.ts'
import { setGuard } from '../bridge/route.ts'

/** While `isAtRisk`, a move waits in `leaving`: `leave` carries it out, emptying `leaving` stays. `release` guards no more. */
export function useGuard(isAtRisk: () => boolean) {
  const leaving = ref<(() => void) | null>(null)
  const release = () => setGuard(null)
  function leave() {
    const next = leaving.value
    leaving.value = null
    release()
    next?.()
  }
  function beforeUnload(event: BeforeUnloadEvent) {
    if (isAtRisk()) event.preventDefault()
  }
  let unhook = () => {}
  onMounted(() => {
    setGuard((next) => {
      if (!isAtRisk()) return true
      leaving.value = next
      return false
    })
    window.addEventListener('beforeunload', beforeUnload)
    unhook = onLeave(() => window.removeEventListener('beforeunload', beforeUnload))
  })
  onBeforeUnmount(() => {
    release()
    unhook()
  })
  return { leaving, leave, release }
}
