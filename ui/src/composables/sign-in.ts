// SPDX-License-Identifier: GPL-3.0-or-later
// The owner of a mailbox signs in at the provider: with a code on any device, or in a window of this page.
import { computed, onUnmounted, ref, shallowRef } from 'vue'
import { beginSignIn, completeSignIn } from '../api/index.ts'
import type { SignInBegun, SignInStanding } from '../api/types.ts'
import { onLeave } from '../bridge/core.ts'
import { t } from '../i18n/index.ts'
import { failureWords } from '../i18n/words.ts'

/** Where the provider sends the browser afterwards, as it has to be registered there. */
export const redirectAddress = (): string => new URL('oauth.html', window.location.href).href

/** What the window that came back says to this one. */
interface Message {
  kind: 'imapsync-sign-in'
  address: string
}
const USUAL_INTERVAL = 5
const WINDOW = 'popup,width=600,height=760'

/** One sign-in: what has to be done, how long there is for it, and what became of it. */
export function useSignIn(source_id: string, mailbox: string) {
  const begun = shallowRef<SignInBegun | null>(null)
  const standing = shallowRef<SignInStanding | null>(null)
  const failure = ref('')
  const busy = ref(false)
  const blocked = ref(false)
  const now = ref(Date.now() / 1000)
  const left = computed(() => Math.max(0, Math.round((begun.value?.expires_at ?? 0) - now.value)))
  const over = computed(() => begun.value !== null && standing.value?.status !== 'signed-in' && left.value === 0)
  let timer: ReturnType<typeof setTimeout> | undefined
  let popup: Window | null = null

  async function begin() {
    clearTimeout(timer)
    busy.value = true
    failure.value = ''
    standing.value = null
    begun.value = null
    try {
      begun.value = await beginSignIn(t('action.begin-sign-in'), { source_id, mailbox, redirect_uri: redirectAddress() })
      if (begun.value.sign_in === 'device-code') askIn(begun.value.interval)
    } catch (error) {
      failure.value = failureWords(error)
    } finally {
      busy.value = false
    }
  }

  /** Opens the provider's page; browsers allow it for a click only. */
  function open() {
    popup = window.open(begun.value?.authorization_url ?? '', '_blank', WINDOW)
    blocked.value = popup === null
  }

  async function complete(answer: { address?: string } = {}) {
    const state = begun.value?.state
    if (!state || busy.value) return
    busy.value = true
    failure.value = ''
    try {
      const answered = await completeSignIn(t('action.complete-sign-in'), { state, ...answer })
      // Meanwhile another sign-in may have begun.
      if (state !== begun.value?.state) return
      standing.value = answered
      if (answered.status === 'pending') askIn(answered.interval)
    } catch (error) {
      failure.value = failureWords(error)
    } finally {
      busy.value = false
    }
  }

  function askIn(interval: number | null | undefined) {
    clearTimeout(timer)
    if (begun.value?.sign_in !== 'device-code') return
    timer = setTimeout(
      () => {
        if (left.value > 0) void complete()
      },
      (interval || USUAL_INTERVAL) * 1_000,
    )
  }

  /** Only a window of this origin counts, and only with the state of this sign-in. */
  function onMessage(event: MessageEvent) {
    if (event.origin !== window.location.origin || event.source === null || event.source !== popup) return
    const { kind, address } = event.data as Partial<Message>
    if (kind !== 'imapsync-sign-in' || !address || !begun.value) return
    if (new URL(address).searchParams.get('state') !== begun.value.state) {
      failure.value = t('sign_in.foreign')
      return
    }
    popup?.close()
    void complete({ address })
  }

  window.addEventListener('message', onMessage)
  const clock = setInterval(() => (now.value = Date.now() / 1000), 1_000)
  const stop = onLeave(() => {
    clearTimeout(timer)
    clearInterval(clock)
    window.removeEventListener('message', onMessage)
  })
  onUnmounted(stop)

  return { begun, standing, failure, busy, blocked, left, over, begin, open, complete }
}
