// SPDX-License-Identifier: GPL-3.0-or-later
import { createApp } from 'vue'
import App from './App.vue'
import { connect } from './bridge/core.ts'
import { followRoute } from './bridge/route.ts'
import { followLocale, i18n } from './i18n/index.ts'
import './styles/index.css'

connect()
followRoute()
await followLocale()
createApp(App).use(i18n).mount('#app')
