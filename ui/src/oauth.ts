// SPDX-License-Identifier: GPL-3.0-or-later
// Where a provider sends the browser after a sign-in. The window that opened this one gets the address; if there is none,
// people copy it themselves. The code in it is of use to the module only, which holds the other half of the proof.
import { setLocale, t } from './i18n/index.ts'

const address = window.location.href
// Neither the history nor a reload shall have it.
window.history.replaceState(null, '', window.location.pathname)
const opener = window.opener as Window | null
opener?.postMessage({ kind: 'imapsync-sign-in', address }, window.location.origin)

await setLocale(navigator.language)
const place = document.getElementById('return')!
const text = document.createElement('p')
text.textContent = t(opener ? 'sign_in.returned' : 'sign_in.copy_this')
place.append(text)
if (!opener) {
  const field = document.createElement('textarea')
  field.readOnly = true
  field.rows = 6
  field.className = 'bx--text-area'
  field.ariaLabel = t('sign_in.address')
  field.value = address
  place.append(field)
  field.select()
}
