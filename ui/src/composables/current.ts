// SPDX-License-Identifier: GPL-3.0-or-later
import type { TaskRef } from '../api/types.ts'
import { place } from '../bridge/route.ts'

/** The task that the address names. */
export const currentTask = (): TaskRef => ({
  localuser: place.value.query.user ?? '',
  task_id: place.value.query.task ?? '',
})
