// SPDX-License-Identifier: GPL-3.0-or-later
declare module 'virtual:locales' {
  const urls: Record<string, string>
  export default urls
}
declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent
  export default component
}
