// SPDX-License-Identifier: GPL-3.0-or-later
import { onMounted, onUnmounted, watch, type Ref } from 'vue'
import { onLeave } from '../bridge/core.ts'

/** What is asked and answered stays in the cluster's records for hours. */
const EVERY = 10_000

/** Does something every few seconds while `wanted` and while the page is seen, and once more at its end. */
export function useRepeat(wanted: Ref<boolean>, act: () => unknown): void {
  let timer: ReturnType<typeof setInterval> | undefined
  const stop = onLeave(() => clearInterval(timer))
  onMounted(() => {
    timer = setInterval(() => {
      if (wanted.value && !document.hidden) void act()
    }, EVERY)
  })
  watch(wanted, (now) => now || void act())
  onUnmounted(stop)
}
