// SPDX-License-Identifier: GPL-3.0-or-later
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import type { Failed } from '../api/types.ts'
import { errorWords, failureWords } from '../i18n/words.ts'

/** Something asked of the module: its answer, or why there is none. */
export interface Loaded<T> {
  data: ShallowRef<T | null>
  failure: Ref<string>
  loading: Ref<boolean>
  load: () => Promise<void>
}

/** An answer that says why there is none. */
class Unanswered extends Error {
  constructor({ status }: Failed) {
    super(errorWords(status))
  }
}

/** Asks when `load` is called; of several calls under way the last one's answer counts. */
export function useLoad<T>(question: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null)
  const failure = ref('')
  const loading = ref(false)
  let latest = 0

  const load = async () => {
    const mine = ++latest
    loading.value = true
    failure.value = ''
    try {
      const answer = await question()
      if (mine === latest) data.value = answer
    } catch (error) {
      if (mine === latest) failure.value = error instanceof Unanswered ? error.message : failureWords(error)
    } finally {
      if (mine === latest) loading.value = false
    }
  }
  return { data, failure, loading, load }
}

/** The same for an action whose answer may be why there is none. */
export function useAnswer<T extends object>(question: () => Promise<T | Failed>): Loaded<T> {
  return useLoad(async () => {
    const answer = await question()
    if ('status' in answer) throw new Unanswered(answer)
    return answer as T
  })
}
