// SPDX-License-Identifier: GPL-3.0-or-later
// The module's sources, shared by the views.
import { computed, ref, shallowRef } from 'vue'
import { listSources } from '../api/index.ts'
import type { Source, SourceList } from '../api/types.ts'
import { t } from '../i18n/index.ts'
import { failureWords } from '../i18n/words.ts'

const known = shallowRef<SourceList | null>(null)

export const sources = computed<Source[]>(() => known.value?.sources ?? [])
export const presets = computed(() => known.value?.presets ?? [])
export const sourcesLoaded = computed(() => known.value !== null)
/** Why the sources could not be read. */
export const sourcesFailure = ref('')

/** The source of that id. */
export const sourceOf = (id: string | null | undefined): Source | undefined => sources.value.find((one) => one.source_id === id)

/** Reads the sources again. */
export async function loadSources(): Promise<void> {
  sourcesFailure.value = ''
  try {
    known.value = await listSources(t('action.list-sources'))
  } catch (error) {
    sourcesFailure.value = failureWords(error)
  }
}
