// SPDX-License-Identifier: GPL-3.0-or-later
import type { Progress } from '../api/types.ts'
import { formatDuration, formatNumber } from '../model/format.ts'
import { isStalled } from '../model/tasks.ts'
import { locale, t } from './index.ts'

/** Where a run stands: folder, messages, and the time left, unless it stands still. */
export function progressWords(progress: Progress | undefined): string {
  if (!progress || progress.state === 'queued' || progress.state === 'idle') return ''
  const parts: string[] = []
  if (progress.folders) parts.push(t('progress.folder', { index: progress.folder_index ?? 0, count: progress.folders }))
  if (progress.messages_total) {
    const [done, total] = [progress.messages_done ?? 0, progress.messages_total].map((value) => formatNumber(value, locale()))
    parts.push(t('progress.messages', { done, total }))
  }
  if (isStalled(progress)) {
    parts.push(t('progress.stalled', { duration: formatDuration(progress.seconds_idle ?? 0, locale()) }))
  } else if (progress.seconds_left !== null && progress.seconds_left !== undefined) {
    parts.push(t('progress.left', { duration: formatDuration(progress.seconds_left, locale()) }))
  }
  return parts.join(' · ')
}
