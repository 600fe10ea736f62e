// SPDX-License-Identifier: GPL-3.0-or-later
// The module's tasks, shared by the views.
import { computed, ref, shallowRef } from 'vue'
import { listTasks } from '../api/index.ts'
import type { Mailbox, Progress, RunState, Task, TaskRef } from '../api/types.ts'
import { t } from '../i18n/index.ts'
import { failureWords } from '../i18n/words.ts'
import { entriesOf, isActive, keyOf } from '../model/tasks.ts'
import { answered, missed } from './connection.ts'

const known = shallowRef<Map<string, Task> | null>(null)
const users = shallowRef<Mailbox[]>([])
const runs = shallowRef(new Map<string, Progress>())
const loading = ref(0)

export const tasks = computed<Task[]>(() => [...(known.value?.values() ?? [])])
export const mailboxes = computed(() => users.value)
export const entries = computed(() => entriesOf(tasks.value, runs.value))
export const tasksLoading = computed(() => loading.value > 0)
export const tasksLoaded = computed(() => known.value !== null)
/** Why the tasks could not be read. */
export const tasksFailure = ref('')

/** The tasks that do something, as far as is known. */
export const activeTasks = computed(() => entries.value.filter((entry) => isActive(entry.state)))

const mapOf = (list: Task[]) => new Map(list.map((task) => [keyOf(task), task]))

const ACTIVE = new Set<RunState>(['running', 'queued', 'stopping'])

/** What is known of a run stays, unless the list, which is newer, says that there is none. */
function keepRuns(list: Iterable<Task>): void {
  const next = new Map(runs.value)
  for (const task of list) {
    const run = next.get(keyOf(task))
    const active = ACTIVE.has(task.state ?? 'idle')
    if (run && (run.state === 'idle' || !active)) next.delete(keyOf(task))
  }
  runs.value = next
}

let latest = 0

/** Reads all tasks again. */
export async function loadTasks(): Promise<void> {
  const mine = ++latest
  loading.value++
  try {
    const answer = await listTasks(t('action.list-tasks'))
    // Of several calls under way the last one's answer counts.
    if (mine !== latest) return
    tasksFailure.value = ''
    known.value = mapOf(answer.user_properties)
    users.value = answer.enabled_mailboxes
    keepRuns(answer.user_properties)
    answered()
  } catch (error) {
    if (mine !== latest) return
    tasksFailure.value = failureWords(error)
    missed(error)
  } finally {
    loading.value--
  }
}

/** Reads some of the tasks again; those that are gone disappear. */
export async function reloadTasks(refs: TaskRef[]): Promise<void> {
  if (refs.length === 0 || known.value === null) return
  const answer = await listTasks(t('action.list-tasks'), refs)
  if (known.value === null) return
  const next = new Map(known.value)
  for (const one of refs) next.delete(keyOf(one))
  for (const task of answer.user_properties) next.set(keyOf(task), task)
  // The order is that of the first reading.
  known.value = new Map([...known.value.keys(), ...next.keys()].flatMap((key) => (next.has(key) ? [[key, next.get(key)!]] : [])))
  keepRuns(answer.user_properties)
}

/** Takes in where runs stand. Tasks that were asked about and are not told of have ended; they are returned. */
export function noteRuns(told: Progress[], asked: TaskRef[] | null): TaskRef[] {
  const next = new Map(runs.value)
  for (const run of told) next.set(keyOf(run), run)
  const about = asked ?? activeTasks.value.map((entry) => entry.task)
  const names = new Set(told.filter((run) => ACTIVE.has(run.state)).map(keyOf))
  const ended: TaskRef[] = []
  for (const { localuser, task_id } of about) {
    const key = keyOf({ localuser, task_id })
    if (names.has(key)) continue
    ended.push({ localuser, task_id })
    next.set(key, { localuser, task_id, state: 'idle' })
  }
  runs.value = next
  return ended
}

/** Whether there is a task of that name in the list. */
export const isKnown = (task: TaskRef): boolean => known.value?.has(keyOf(task)) ?? false
