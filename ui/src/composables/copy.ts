// SPDX-License-Identifier: GPL-3.0-or-later
import { ref } from 'vue'

// Browsers hand it out over HTTPS only.
const clipboard = navigator.clipboard as Clipboard | undefined

/** Whether there is a clipboard to copy to. */
export const canCopy = clipboard !== undefined

/** Copies a text, and says so for a while. */
export function useCopy() {
  const copied = ref(false)
  async function copy(text: string) {
    await clipboard?.writeText(text)
    copied.value = true
    setTimeout(() => (copied.value = false), 2_000)
  }
  return { copied, copy }
}
