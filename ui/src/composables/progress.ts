// SPDX-License-Identifier: GPL-3.0-or-later
// Follows the runs while somebody looks. What is asked and answered stays in the cluster's records for hours, so
// the pace follows from its size.
import { onMounted, onUnmounted, ref, watch } from 'vue'
import { getProgress } from '../api/index.ts'
import type { TaskRef } from '../api/types.ts'
import { onLeave } from '../bridge/core.ts'
import { t } from '../i18n/index.ts'
import { keyOf } from '../model/tasks.ts'
import { answered, missed } from './connection.ts'
import { activeTasks, entries, isKnown, loadTasks, noteRuns, reloadTasks, tasks, tasksFailure, tasksLoading } from './tasks.ts'

const SOON = 300
const BRISK = 4_000
const CALM = 30_000
/** When nothing has run for a while. */
const SLEEPY = 120_000
const SLEEPY_AFTER = 10 * 60_000
/** What may be asked and answered in an hour, in bytes. */
const BUDGET = 1_000_000
const HOUR = 3_600_000
/** A larger change than this is read as a whole. */
const MANY = 200

/** Until when runs that were just started may still be on their way, in milliseconds; 0 for none. */
const awaited = ref(0)
const ON_THEIR_WAY = 5_000

/** To be told after a start: a run takes a moment to begin, and a short one is over before anybody looks. */
export function expectRuns(): void {
  awaited.value = Date.now() + ON_THEIR_WAY
}

/**
 * Follows the progress while the component is shown and the page is seen: of the tasks that `visible` names while
 * one of them moves; of all others by their number, until it changes.
 */
export function useProgress(visible: () => TaskRef[]): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  let busy = false
  let cost = 0
  let last = { at: 0, cost: 0 }
  let changed = true
  /** When the list was read again after it failed. */
  let listed = 0
  let quietSince = Date.now()

  const moving = () => awaited.value > 0 || activeTasks.value.length > 0
  const shown = () => {
    const names = new Set(visible().map(keyOf))
    return activeTasks.value.filter((entry) => names.has(entry.key)).map((entry) => entry.task)
  }
  const pace = () => {
    if (moving()) quietSince = Date.now()
    else return Date.now() - quietSince > SLEEPY_AFTER ? SLEEPY : CALM
    return Math.max(BRISK, (cost / BUDGET) * HOUR)
  }
  const schedule = (delay = pace()) => {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(() => void tick(), delay)
  }

  /** All that run, of whatever page: when something changed among them, and now and then. */
  const isDue = () => Date.now() - last.at >= Math.max(changed ? BRISK : CALM, (last.cost / BUDGET) * HOUR)

  async function ask(scope: TaskRef[] | null): Promise<void> {
    const answer = await getProgress(t('action.get-progress'), scope)
    const size = JSON.stringify([scope, answer]).length
    if (scope === null) last = { at: Date.now(), cost: size }
    else cost = size
    const ended = noteRuns(answer.tasks, scope)
    const late = awaited.value > 0 && Date.now() > awaited.value
    if (late) awaited.value = 0
    if (late || ended.length > MANY || answer.tasks.some((run) => !isKnown(run))) await loadTasks()
    else await reloadTasks(ended)
    const { running, queued, stopping } = answer.counts ?? { running: 0, queued: 0, stopping: 0 }
    changed = running + queued + stopping !== activeTasks.value.length
  }

  async function look(): Promise<void> {
    // Without the list no task may be known that could be followed.
    if (tasksFailure.value !== '' && !tasksLoading.value && Date.now() - listed >= CALM) {
      listed = Date.now()
      await loadTasks()
    }
    if (tasks.value.length === 0) return
    try {
      await ask(awaited.value > 0 || isDue() ? null : shown())
      if (tasksFailure.value === '') answered()
    } catch (error) {
      missed(error)
    }
  }

  const tick = async () => {
    if (busy) return
    busy = true
    if (!document.hidden) await look()
    busy = false
    schedule()
  }
  // What starts to move while it is seen need not wait for the next look.
  watch(
    () => awaited.value > 0 || shown().length > 0,
    (now) => now && schedule(SOON),
  )
  const seen = () => {
    if (!document.hidden) void tick()
  }
  const stop = onLeave(() => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', seen)
    window.removeEventListener('online', seen)
  })
  onMounted(() => {
    document.addEventListener('visibilitychange', seen)
    window.addEventListener('online', seen)
    schedule(entries.value.length > 0 && moving() ? SOON : undefined)
  })
  onUnmounted(stop)
}
