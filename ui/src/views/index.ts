// SPDX-License-Identifier: GPL-3.0-or-later
// The views by their names in the address; each is loaded when it is opened.
import { defineAsyncComponent, type Component } from 'vue'
import LoadFailure from '../components/LoadFailure.vue'

const later = (loader: () => Promise<{ default: Component }>) => defineAsyncComponent({ loader, errorComponent: LoadFailure, delay: 0 })

export const views: Record<string, Component> = {
  status: later(() => import('./StatusView.vue')),
  tasks: later(() => import('./TasksView.vue')),
  batch: later(() => import('./BatchView.vue')),
  sources: later(() => import('./SourcesView.vue')),
  import: later(() => import('./ImportView.vue')),
  settings: later(() => import('./SettingsView.vue')),
  about: later(() => import('./AboutView.vue')),
  log: later(() => import('./LogView.vue')),
  history: later(() => import('./HistoryView.vue')),
  compare: later(() => import('./CompareView.vue')),
  preview: later(() => import('./PreviewView.vue')),
  verify: later(() => import('./VerifyView.vue')),
}
