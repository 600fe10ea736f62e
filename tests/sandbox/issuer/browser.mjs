// SPDX-License-Identifier: GPL-3.0-or-later
// A person with a browser, as far as signing in goes: follows redirects, keeps cookies, fills in forms.

import https from 'node:https'

const STEPS = 30

/**
 * Opens `url` and does what the pages ask for as `login`, or declines; gives the address it ends at outside of the
 * issuer, or the last page.
 */
export const browse = async ({ url, login, decline }, { ca, issuer }) => {
  const cookies = new Map()
  let next = { method: 'GET', url }
  for (let step = 0; step < STEPS; step += 1) {
    if (!next.url.startsWith(`${issuer}/`)) return next.url
    const page = await ask(next, cookies, ca)
    const { location } = page.headers
    if (location) {
      next = { method: 'GET', url: new URL(location, next.url).href }
      continue
    }
    const form = read(page.text)
    if (!form) return page.text
    const abort = page.text.match(/href="([^"]*\/abort)"/)
    if (decline && abort) {
      next = { method: 'GET', url: new URL(abort[1], next.url).href }
      continue
    }
    if ('login' in form.fields) Object.assign(form.fields, { login, password: 'anything' })
    next = { method: 'POST', url: new URL(form.action, next.url).href, body: new URLSearchParams(form.fields).toString() }
  }
  throw new Error('the pages never end')
}

const ask = ({ method, url, body }, cookies, ca) =>
  new Promise((resolve, reject) => {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    if (body) headers['content-type'] = 'application/x-www-form-urlencoded'
    const request = https.request(url, { method, ca, headers }, (response) => {
      for (const cookie of response.headers['set-cookie'] ?? []) {
        const [name, value] = cookie.split(';')[0].split(/=(.*)/s)
        cookies.set(name, value)
      }
      let text = ''
      response.on('data', (piece) => (text += piece))
      response.on('end', () => resolve({ headers: response.headers, text }))
    })
    request.on('error', reject)
    request.end(body)
  })

/** The first form of a page with what its fields hold. */
const read = (text) => {
  const form = text.match(/<form[^>]*>[\s\S]*?<\/form>/)
  if (!form) return undefined
  const unescape = (value) => value.replaceAll('&amp;', '&').replaceAll('&quot;', '"')
  const attribute = (tag, name) => {
    const found = tag.match(new RegExp(`\\b${name}="([^"]*)"`))
    return found && unescape(found[1])
  }
  const fields = {}
  for (const [tag] of text.matchAll(/<(input|button)[^>]*>/g)) {
    const name = attribute(tag, 'name')
    if (name && name !== 'abort') fields[name] = attribute(tag, 'value') ?? ''
  }
  return { action: attribute(form[0].match(/<form[^>]*>/)[0], 'action') ?? '', fields }
}
