// SPDX-License-Identifier: GPL-3.0-or-later
// The module's tasks, shared by the views, and their progress while it is looked at.
import { computed, onMounted, onUnmounted, ref, shallowRef, watch } from 'vue'
import { getProgress, listTasks } from '../api/index.ts'
import type { Progress, Task, TaskRef } from '../api/types.ts'
import { onLeave } from '../bridge/core.ts'
import { t } from '../i18n/index.ts'
import { entriesOf, isActive, keyOf } from '../model/tasks.ts'
import { useLoad } from './load.ts'

/** Polling costs the cluster an audit row each time: it is brisk only while something moves. */
const SOON = 300
const BRISK = 4_000
const CALM = 30_000

const list = useLoad(() => listTasks(t('action.list-tasks')))
const progress = shallowRef(new Map<string, Progress>())
const now = ref(Math.floor(Date.now() / 1000))

export const tasks = computed<Task[]>(() => list.data.value?.user_properties ?? [])
export const mailboxes = computed(() => list.data.value?.enabled_mailboxes ?? [])
export const entries = computed(() => entriesOf(tasks.value, progress.value, now.value))
export const tasksLoading = list.loading
export const tasksFailure = list.failure
export const tasksLoaded = computed(() => list.data.value !== null)

/** Reads the tasks again. */
export async function loadTasks(): Promise<void> {
  await list.load()
  now.value = Math.floor(Date.now() / 1000)
  progress.value = new Map()
}

/** Until when runs that were just started may still be on their way, in milliseconds; 0 for none. */
const awaited = ref(0)
const ON_THEIR_WAY = 5_000

/** To be told after a start: a run takes a moment to begin, and a short one is over before anybody looks. */
export function expectRuns(): void {
  awaited.value = Date.now() + ON_THEIR_WAY
}

async function poll(visible: TaskRef[] | undefined): Promise<void> {
  const answer = await getProgress(t('action.get-progress'), visible)
  const wasActive = entries.value.filter((entry) => isActive(entry.state)).map((entry) => entry.key)
  const next = visible ? new Map(progress.value) : new Map<string, Progress>()
  for (const entry of answer.tasks) next.set(keyOf(entry), entry)
  progress.value = next
  const late = awaited.value > 0 && Date.now() > awaited.value
  if (late) awaited.value = 0
  const ended = wasActive.some((key) => next.get(key)?.state === 'idle')
  if (ended || late) await loadTasks()
}

/**
 * Follows the progress while the component is shown and the page is seen: of the tasks that `visible`
 * names while one of them moves, of all of them now and then.
 */
export function useProgress(visible: () => TaskRef[]): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  let lastFull = 0

  const moving = () => {
    if (awaited.value > 0) return true
    const shown = new Set(visible().map(keyOf))
    return entries.value.some((entry) => isActive(entry.state) && shown.has(entry.key))
  }
  const schedule = (soon = false) => {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(() => void tick(), !moving() ? CALM : soon ? SOON : BRISK)
  }
  // What starts to move while it is seen need not wait for the next look.
  watch(moving, (now) => now && schedule(true))
  const tick = async () => {
    if (!document.hidden && tasks.value.length > 0) {
      const brisk = moving() && Date.now() - lastFull < CALM
      if (!brisk) lastFull = Date.now()
      // A poll without an answer is made up for by the next one.
      await poll(brisk ? visible() : undefined).catch(() => {})
    }
    schedule()
  }
  const stop = onLeave(() => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', seen)
  })
  const seen = () => {
    if (!document.hidden) void tick()
  }
  onMounted(() => {
    document.addEventListener('visibilitychange', seen)
    schedule()
  })
  onUnmounted(stop)
}
