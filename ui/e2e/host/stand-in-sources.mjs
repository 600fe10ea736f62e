// SPDX-License-Identifier: GPL-3.0-or-later
// What the stand-in knows of sources and of signing in.
import { randomUUID } from 'node:crypto'
import { Platform, Refusal } from './platform.mjs'

export const FINGERPRINT = 'ab54d28693dcdb1b4bc1b91c11bb8f2ac09e7a4d5c3f0f3e6a2ce8bb04f19c77'
const DELEGATED = 'https://outlook.office.com/IMAP.AccessAsUser.All offline_access'
const preset = (id, label, hostname, ways, more = {}) => ({
  id,
  label,
  hostname,
  port: 993,
  security: 'ssl',
  sign_ins: ways.map(([sign_in, scope = '']) => ({ sign_in, scope })),
  tenant: '',
  authority: '',
  token_endpoint: '',
  authorization_endpoint: '',
  device_endpoint: '',
  login_template: '',
  admin_method: 'template',
  ...more,
})
/** Some of what list-sources offers. */
const PRESETS = [
  preset(
    'microsoft-organisation',
    'Microsoft 365 (organisation)',
    'outlook.office365.com',
    [
      ['application', 'https://outlook.office365.com/.default'],
      ['device-code', DELEGATED],
      ['authorization-code', DELEGATED],
    ],
    { authority: 'https://login.microsoftonline.com' },
  ),
  preset(
    'microsoft-personal',
    'Outlook.com',
    'outlook.office365.com',
    [
      ['device-code', DELEGATED],
      ['authorization-code', DELEGATED],
    ],
    { tenant: 'consumers' },
  ),
  preset('google-workspace', 'Google Workspace', 'imap.gmail.com', [
    ['service-account', 'https://mail.google.com/'],
    ['authorization-code', 'https://mail.google.com/'],
  ]),
  preset('google-account', 'Gmail', 'imap.gmail.com', [['authorization-code', 'https://mail.google.com/'], ['password']]),
  preset('yahoo', 'Yahoo', 'imap.mail.yahoo.com', [['authorization-code', 'mail-r'], ['password']]),
  preset('oauth', 'Another provider', '', [
    ['authorization-code', 'openid offline_access'],
    ['device-code', 'openid offline_access'],
    ['application'],
    ['service-account'],
  ]),
  preset('imap', 'IMAP server', '', [['password'], ['administrator']]),
  preset('dovecot', 'Dovecot', '', [['administrator']], { login_template: '{user}*{admin}' }),
  preset('cyrus', 'Cyrus', '', [['administrator']], { admin_method: 'authzid' }),
  preset('zimbra', 'Zimbra', '', [['administrator']], { admin_method: 'authzid' }),
]
const EMPTY_SOURCE = {
  preset: '',
  certificate: null,
  connections: 0,
  runs: 0,
  bandwidth: 0,
  old_encryption: false,
  proxy: '',
  proxy_user: '',
  admin_user: '',
  admin_method: '',
  login_template: '',
  tenant: '',
  authority: '',
  issuer: '',
  token_endpoint: '',
  authorization_endpoint: '',
  device_endpoint: '',
  scope: '',
  client_id: '',
  client_authentication: '',
  client_secret_expires: null,
  client_certificate: null,
  service_account: '',
  authority_certificates: '',
}

export const key = ({ localuser, task_id }) => `${localuser}/${task_id}`
export const seconds = () => Math.floor(Date.now() / 1000)

export const refuse = (parameter, error) => {
  throw new Refusal([{ field: parameter, parameter, value: '', error }])
}

/** The actions about sources; what plays the tasks holds them in `tasks` and `runs`. */
export class SourcesStandIn extends Platform {
  constructor() {
    super()
    this.tasks = new Map()
    this.runs = new Map()
    this.sources = new Map()
    this.signIns = new Map()
    /** Mailboxes whose owners signed in. */
    this.signedIn = new Set()
  }

  /** Sources of three kinds; the secret of one is about to expire. */
  seedSources() {
    const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
    this['save-source']({
      label: 'Microsoft 365',
      preset: 'microsoft-organisation',
      sign_in: 'application',
      hostname: 'outlook.office365.com',
      port: 993,
      security: 'ssl',
      tenant: 'example.com',
      client_id: '1111',
      client_secret_password: 'secret',
      client_secret_expires: day(12),
    })
    this['save-source']({
      label: 'Hotmail',
      preset: 'microsoft-personal',
      sign_in: 'device-code',
      hostname: 'outlook.office365.com',
      port: 993,
      security: 'ssl',
      client_id: '2222',
    })
    this['save-source']({
      label: 'Gmail',
      preset: 'google-account',
      sign_in: 'authorization-code',
      hostname: 'imap.gmail.com',
      port: 993,
      security: 'ssl',
      client_id: '3333',
      client_secret_password: 'secret',
    })
    const all = [...this.tasks.values()]
    for (const [user, source] of [
      ['karin.smith', 's2'],
      ['luca.keller', 's3'],
    ]) {
      const task = all.find((one) => one.localuser === user)
      if (!task) continue
      this.runs.delete(key(task))
      task.source = source
    }
    const held = all.find((one) => one.localuser === 'anna.garcia')
    if (held) {
      Object.assign(held, { delete_local: true, delete_remote: false, has_log: true, last_sync_timestamp: seconds() - 600, last_sync_exit_code: 111 })
      this.held = new Set([key(held)])
    }
  }

  needsSignIn({ source, remoteusername }) {
    return Boolean(this.sources.get(source)?.needs_person) && !this.signedIn.has(`${source} ${remoteusername}`)
  }

  'list-sources'() {
    const sources = [...this.sources.values()].map(({ secret, ...source }) => ({
      ...source,
      has_secret: secret !== '',
      tasks: [...this.tasks.values()].filter((task) => task.source === source.source_id).map(({ localuser, task_id }) => ({ localuser, task_id })),
    }))
    return { sources, presets: PRESETS }
  }

  'save-source'(data) {
    const source_id = data.source_id ?? `s${this.sources.size + 1}`
    const former = this.sources.get(source_id)
    const given = data.admin_password || data.client_secret_password || data.client_key_password || data.service_account_password || ''
    if (given === 'wrong') refuse('client_secret_password', 'client_secret_password_invalid')
    const person = ['device-code', 'authorization-code'].includes(data.sign_in)
    const { admin_password, client_secret_password, client_key_password, service_account_password, client_certificate, ...fields } = data
    const days = data.client_secret_expires ? Math.ceil((Date.parse(data.client_secret_expires) - Date.now()) / 86_400_000) : null
    this.sources.set(source_id, {
      ...EMPTY_SOURCE,
      ...fields,
      source_id,
      needs_person: person,
      secret: given || former?.secret || '',
      secret_expires_in_days: days,
    })
    return { source_id }
  }

  'delete-source'({ source_id }) {
    if ([...this.tasks.values()].some((task) => task.source === source_id)) refuse('source_id', 'source_in_use')
    this.sources.delete(source_id)
  }

  'test-source'({ source_id, mailbox }) {
    const source = this.sources.get(source_id)
    const step = (name, status = 'ok', more = {}) => ({ step: name, status, message: '', advice: '', provider_code: '', seconds: 0.1, ...more })
    const expired = { provider_code: 'AADSTS7000222', advice: 'The secret has expired: make a new one in Entra.', message: 'invalid_client' }
    if (source.secret === 'expired') return { ok: false, steps: [step('token', 'token_not_issued', expired)], tls: null }
    if (this.needsSignIn({ source: source_id, remoteusername: mailbox })) return { ok: false, steps: [step('token', 'sign_in_needed')], tls: null }
    if (source.hostname.includes('selfsigned') && source.certificate !== FINGERPRINT) {
      const certificate = {
        subject: `CN=${source.hostname}`,
        issuer: `CN=${source.hostname}`,
        not_before: '2026-06-01T00:00:00Z',
        not_after: '2027-06-01T00:00:00Z',
        sha256: FINGERPRINT,
        trusted: false,
      }
      return { ok: false, steps: [step('login', 'certificate_unknown')], tls: { version: '', certificate } }
    }
    return { ok: true, steps: [step('token'), step('login'), step('list'), step('inbox')], tls: null }
  }

  'begin-sign-in'({ source_id, mailbox, redirect_uri }) {
    const { sign_in } = this.sources.get(source_id)
    const state = randomUUID()
    this.signIns.set(state, { key: `${source_id} ${mailbox}`, mailbox, entered: false })
    const expires_at = seconds() + (this.patience ?? 900)
    if (sign_in === 'device-code')
      return {
        sign_in,
        state,
        expires_at,
        user_code: 'WDJB-MJHT',
        verification_uri: 'https://provider.example/device',
        verification_uri_complete: null,
        interval: 1,
        authorization_url: null,
        redirect_uri: null,
      }
    // The provider's page sends the browser back at once.
    const back = new URL(redirect_uri)
    back.search = new URLSearchParams({ code: 'c0de', state: this.foreign ? 'another' : state })
    return {
      sign_in,
      state,
      expires_at,
      authorization_url: back.href,
      redirect_uri,
      user_code: null,
      verification_uri: null,
      verification_uri_complete: null,
      interval: null,
    }
  }

  'complete-sign-in'({ state, address }) {
    const begun = this.signIns.get(state)
    const answer = (status, more = {}) => ({ status, mailbox: begun?.mailbox ?? '', message: '', advice: '', provider_code: '', interval: null, ...more })
    if (!begun) return answer('expired')
    if (this.declined) return answer('refused', { provider_code: 'access_denied', advice: 'The owner declined: ask again.' })
    if (!address && !begun.entered) return answer('pending', { interval: 1 })
    if (address && !address.includes(state)) refuse('address', 'address_invalid')
    this.signedIn.add(begun.key)
    return answer('signed-in')
  }
}
