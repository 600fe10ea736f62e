// SPDX-License-Identifier: GPL-3.0-or-later
// What is done to many tasks at once, and what became of it.
import { ref } from 'vue'
import { startTasks, stopTasks, updateTasks } from '../api/index.ts'
import type { BulkResult, TaskRef } from '../api/types.ts'
import { t } from '../i18n/index.ts'
import { failureWords } from '../i18n/words.ts'
import { outcomeOf, type Outcome } from '../model/outcome.ts'
import { isActive, sameTask } from '../model/tasks.ts'
import { expectRuns } from './progress.ts'
import { entries, loadTasks } from './tasks.ts'

/** `done` is called when something was done, be it to some of the tasks only. */
export function useTaskActions(done: () => void = () => {}) {
  const working = ref<'' | 'start' | 'stop' | 'hold'>('')
  const notice = ref<{ kind: 'error' | 'warning' | 'success'; text: string } | null>(null)
  const outcome = ref<Outcome | null>(null)

  /** Takes in what became of the tasks that an action was about. */
  function show(results: BulkResult[]) {
    notice.value = null
    outcome.value = outcomeOf(results)
    done()
  }

  async function work(kind: 'start' | 'stop' | 'hold', act: () => Promise<{ results: BulkResult[] } | null>) {
    working.value = kind
    notice.value = null
    outcome.value = null
    try {
      show((await act())?.results ?? [])
      if (kind === 'start') expectRuns()
    } catch (error) {
      notice.value = { kind: 'error', text: failureWords(error) }
    } finally {
      working.value = ''
      // Even a call that was cut off may have changed some of them.
      await loadTasks()
    }
  }

  const run = (kind: 'start' | 'stop', tasks: TaskRef[]) =>
    work(kind, () => (kind === 'start' ? startTasks(t('action.start-task'), tasks) : stopTasks(t('action.stop-task'), tasks)))

  /** The schedules of tasks wait, or go on; they stay what they are. */
  const hold = (tasks: TaskRef[], on_hold: boolean) => work('hold', () => updateTasks(t('action.update-tasks'), tasks, { on_hold }))

  /** Runs end, and no schedule begins others. */
  async function pause(tasks: TaskRef[]) {
    const meant = entries.value.filter((entry) => tasks.some((task) => sameTask(task, entry.task)))
    const refs = (some: typeof meant) => some.map((entry) => entry.task)
    const scheduled = refs(meant.filter((entry) => entry.task.cron !== ''))
    const active = refs(meant.filter((entry) => isActive(entry.state)))
    if (scheduled.length > 0) await hold(scheduled, true)
    if (active.length > 0 && notice.value === null) await run('stop', active)
  }

  return { working, notice, outcome, show, run, hold, pause }
}
