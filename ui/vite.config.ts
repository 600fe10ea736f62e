// SPDX-License-Identifier: GPL-3.0-or-later
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { locales } from './build/locales.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

export default defineConfig({
  base: './',
  plugins: [vue(), locales(path('./public/i18n'))],
  resolve: {
    alias: { 'vue-i18n': path('./node_modules/vue-i18n/dist/vue-i18n.runtime.mjs') },
  },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    __INTLIFY_DROP_MESSAGE_COMPILER__: 'true',
  },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What several views share comes in few files, each request costing more than its size.
    rollupOptions: { input: ['index.html', 'oauth.html'], output: { experimentalMinChunkSize: 12_000 } },
  },
  test: { include: ['tests/**/*.test.ts'] },
})
