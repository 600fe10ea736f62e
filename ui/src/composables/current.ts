// SPDX-License-Identifier: GPL-3.0-or-later
import type { TaskRef } from '../api/types.ts'
import { route } from '../bridge/route.ts'

/** The task that the address names. */
export const currentTask = (): TaskRef => ({
  localuser: route.value.query.user ?? '',
  task_id: route.value.query.task ?? '',
})
