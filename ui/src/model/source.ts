// SPDX-License-Identifier: GPL-3.0-or-later
// A source as the form holds it, which of its fields count, and what is to be done at the provider.
import type { ParameterError, SignIn, Source, SourceInput, SourcePreset } from '../api/types.ts'
import { bandwidthText, isBandwidth, isHost, isPort } from './rules.ts'

/** The fields of the form: those of save-source, as texts. */
export type SourceForm = Record<Exclude<keyof SourceInput, 'source_id' | 'security' | 'sign_in'>, string> & Pick<Source, 'security' | 'sign_in'>

export type SourceField = keyof SourceForm

const scopeOf = (preset: SourcePreset, signIn: SignIn) => preset.sign_ins.find((way) => way.sign_in === signIn)?.scope ?? ''

/** A new source: what is known of the provider is filled in. */
export function sourceFrom(preset: SourcePreset, signIn: SignIn = preset.sign_ins[0]?.sign_in ?? 'password'): SourceForm {
  return {
    label: preset.label,
    preset: preset.id,
    sign_in: signIn,
    hostname: preset.hostname,
    port: String(preset.port),
    security: preset.security,
    certificate: '',
    connections: '0',
    runs: '0',
    bandwidth: '',
    old_encryption: 'refused',
    proxy: '',
    proxy_user: '',
    proxy_password: '',
    admin_user: '',
    admin_password: '',
    admin_method: preset.admin_method || 'template',
    login_template: preset.login_template,
    tenant: preset.tenant,
    authority: preset.authority,
    issuer: '',
    token_endpoint: preset.token_endpoint,
    authorization_endpoint: preset.authorization_endpoint,
    device_endpoint: preset.device_endpoint,
    scope: scopeOf(preset, signIn),
    client_id: '',
    client_secret_password: '',
    client_secret_expires: '',
    client_authentication: 'post',
    client_certificate: '',
    client_key_password: '',
    service_account_password: '',
    authority_certificates: '',
  }
}

/** The form of a stored source; its secrets stay where they are as long as their fields are empty. */
export function formOfSource(source: Source): SourceForm {
  const { label, preset, sign_in, hostname, security, admin_user, admin_method, login_template, tenant, authority } = source
  const { issuer, token_endpoint, authorization_endpoint, device_endpoint, scope, client_id, client_authentication } = source
  return {
    label,
    preset,
    sign_in,
    hostname,
    security,
    admin_user,
    login_template,
    tenant,
    authority,
    // Found out from the address of the provider, they are no settings.
    ...(issuer ? { token_endpoint: '', authorization_endpoint: '', device_endpoint: '' } : { token_endpoint, authorization_endpoint, device_endpoint }),
    issuer,
    scope,
    client_id,
    admin_method: admin_method || 'template',
    client_authentication: client_authentication || 'post',
    port: String(source.port),
    certificate: source.certificate ?? '',
    connections: String(source.connections),
    runs: String(source.runs),
    bandwidth: bandwidthText(source.bandwidth),
    old_encryption: source.old_encryption ? 'allowed' : 'refused',
    proxy: source.proxy,
    proxy_user: source.proxy_user,
    proxy_password: '',
    admin_password: '',
    client_secret_password: '',
    client_secret_expires: source.client_certificate ? '' : (source.client_secret_expires ?? ''),
    client_certificate: source.client_certificate?.pem ?? '',
    client_key_password: '',
    service_account_password: '',
    authority_certificates: source.authority_certificates,
  }
}

const isMicrosoft = (form: SourceForm) => form.preset.startsWith('microsoft')
const OWN_PERSON: SignIn[] = ['device-code', 'authorization-code']
/** Whether the owner of each mailbox has to sign in. */
export const needsPerson = (signIn: SignIn): boolean => OWN_PERSON.includes(signIn)

const PROXY_LOGIN: SourceField[] = ['proxy_user', 'proxy_password']
/** Whether the source has its own proxy. */
const hasProxy = ({ proxy }: SourceForm): boolean => proxy.trim() !== '' && proxy.trim() !== 'direct'

/** The fields in addition to server and name that count, the usual ones and those for special cases. */
export function fieldsOf(form: SourceForm): { usual: SourceField[]; special: SourceField[] } {
  const special: SourceField[] = ['connections', 'runs', 'bandwidth', 'old_encryption', 'proxy', ...(hasProxy(form) ? PROXY_LOGIN : [])]
  switch (form.sign_in) {
    case 'password':
      return { usual: [], special }
    case 'administrator':
      return { usual: ['admin_user', 'admin_password', 'admin_method', ...(form.admin_method === 'template' ? ['login_template' as const] : [])], special }
    case 'service-account':
      return { usual: ['service_account_password'], special: ['scope', 'token_endpoint', 'authority_certificates', ...special] }
    default: {
      const endpoints: SourceField[] = ['token_endpoint']
      if (form.sign_in === 'authorization-code') endpoints.push('authorization_endpoint')
      if (form.sign_in === 'device-code') endpoints.push('device_endpoint')
      const known = form.preset !== 'oauth' && form.preset !== '' && form.preset !== 'imap'
      const usual: SourceField[] = [
        ...(isMicrosoft(form) ? ['tenant' as const] : known ? [] : ['issuer' as const]),
        'client_id',
        'client_secret_password',
        'client_secret_expires',
      ]
      if (!known) usual.push('scope')
      const certificate: SourceField[] = form.sign_in === 'application' ? ['client_certificate', 'client_key_password'] : []
      const rest: SourceField[] = isMicrosoft(form) ? ['authority'] : ['client_authentication', ...endpoints]
      return { usual, special: [...certificate, ...rest, ...(known ? ['scope' as const] : []), 'authority_certificates', ...special] }
    }
  }
}

/** What save-source does not take as a text. */
const NO_TEXTS: SourceField[] = ['connections', 'runs', 'bandwidth', 'old_encryption']
const COMMON: SourceField[] = ['label', 'preset', 'sign_in', 'hostname', 'security', 'certificate']

/** The fields as save-source takes them: those that count, and no others. */
export function inputOfSource(form: SourceForm, id: string | null): SourceInput {
  const { usual, special } = fieldsOf(form)
  const names = [...COMMON, ...usual, ...special].filter((name) => !NO_TEXTS.includes(name))
  const texts = Object.fromEntries(names.map((name) => [name, name.endsWith('password') ? form[name] : form[name].trim()]))
  // An optional value that is empty is none.
  for (const name of ['client_secret_expires', 'certificate', 'client_certificate']) if (texts[name] === '') delete texts[name]
  const others = {
    port: Number(form.port),
    connections: Number(form.connections),
    runs: Number(form.runs),
    bandwidth: Number(form.bandwidth),
    old_encryption: form.old_encryption === 'allowed',
  }
  return { ...texts, ...(id ? { source_id: id } : {}), ...others } as SourceInput
}

const REQUIRED: SourceField[] = ['admin_user', 'login_template', 'tenant', 'client_id']

/** Where a stored secret goes; to another place it is never sent, and has to be given again. */
const PLACE: SourceField[] = [
  'hostname',
  'port',
  'security',
  'certificate',
  'old_encryption',
  'proxy',
  'tenant',
  'authority',
  'issuer',
  'token_endpoint',
  'sign_in',
  'client_id',
  'admin_user',
]

const secretsOf = (signIn: SignIn): SourceField[] => {
  if (signIn === 'password') return []
  if (signIn === 'administrator') return ['admin_password']
  return signIn === 'service-account' ? ['service_account_password'] : ['client_secret_password', 'client_key_password']
}

/** What the form refuses before it asks the module; of a stored source the secrets may stay empty. */
export function checkSource(form: SourceForm, former: Source | null): ParameterError[] {
  const before = former && formOfSource(former)
  const stored = before !== null && PLACE.every((name) => form[name] === before[name])
  const errors: ParameterError[] = []
  const refuse = (parameter: SourceField, why: 'required' | 'invalid') => errors.push({ parameter, error: `${parameter}_${why}` })
  const { usual } = fieldsOf(form)
  if (form.label.trim() === '') refuse('label', 'required')
  if (form.hostname.trim() === '') refuse('hostname', 'required')
  else if (!isHost(form.hostname.trim())) refuse('hostname', 'invalid')
  if (!isPort(form.port)) refuse('port', 'invalid')
  for (const name of usual) if (REQUIRED.includes(name) && form[name].trim() === '') refuse(name, 'required')
  if (usual.includes('issuer') && form.issuer.trim() === '' && form.token_endpoint.trim() === '') refuse('issuer', 'required')
  if (!stored) {
    for (const name of ['admin_password', 'service_account_password'] as const) {
      if (usual.includes(name) && form[name] === '') refuse(name, 'required')
    }
    if (form.sign_in === 'application' && form.client_secret_password === '' && form.client_key_password === '') refuse('client_secret_password', 'required')
  }
  const secrets = secretsOf(form.sign_in)
  // The module would take it for a source without one.
  if (
    !stored &&
    former?.has_secret &&
    secrets.length > 0 &&
    secrets.every((name) => form[name] === '') &&
    !errors.some((error) => secrets.some((name) => error.parameter === name))
  ) {
    refuse(secrets[0]!, 'required')
  }
  if (hasProxy(form) && !/^(socks5h?|http):\/\/[^@\s]+:\d{1,5}\/?$/i.test(form.proxy.trim())) refuse('proxy', 'invalid')
  const sameProxy = former !== null && former.proxy === form.proxy.trim() && former.proxy_user === form.proxy_user.trim()
  if (hasProxy(form) && form.proxy_user.trim() !== '' && form.proxy_password === '' && !sameProxy) refuse('proxy_password', 'required')
  for (const [name, most] of [
    ['connections', 16],
    ['runs', 64],
  ] as const) {
    if (!/^\d{1,2}$/.test(form[name]) || Number(form[name]) > most) refuse(name, 'invalid')
  }
  if (!isBandwidth(form.bandwidth)) refuse('bandwidth', 'invalid')
  return errors
}

/** How many steps there are to do at the provider, by the name of the guide. */
const GUIDES = {
  microsoft_application: 6,
  microsoft_person: 4,
  microsoft_personal: 3,
  google_domain: 4,
  google_person: 4,
  yahoo_person: 3,
  oauth_person: 3,
  oauth_application: 2,
  app_password: 2,
  dovecot: 3,
  cyrus: 2,
  zimbra: 2,
  administrator: 2,
} as const

/** What has to be done at the provider: the names of the sentences, in their order. */
export function guideOf({ preset, sign_in }: Pick<SourceForm, 'preset' | 'sign_in'>): string[] {
  const name = guideName(preset, sign_in)
  return name ? Array.from({ length: GUIDES[name] }, (_, at) => `guide.${name}.${at + 1}`) : []
}

function guideName(preset: string, signIn: SignIn): keyof typeof GUIDES | null {
  if (signIn === 'administrator') return preset === 'dovecot' || preset === 'cyrus' || preset === 'zimbra' ? preset : 'administrator'
  if (signIn === 'password') return preset === 'google-account' || preset === 'yahoo' ? 'app_password' : null
  if (preset === 'microsoft-personal') return 'microsoft_personal'
  if (preset.startsWith('microsoft')) return signIn === 'application' ? 'microsoft_application' : 'microsoft_person'
  if (preset.startsWith('google')) return signIn === 'service-account' ? 'google_domain' : 'google_person'
  if (signIn === 'service-account') return 'google_domain'
  if (preset === 'yahoo') return 'yahoo_person'
  return signIn === 'application' ? 'oauth_application' : 'oauth_person'
}

/** So many days before its end a secret is warned of. */
const WARNED_DAYS = 30

/** Whether a secret is over, soon will be, or neither. */
export function expiryOf(source: Source): 'over' | 'soon' | null {
  const days = source.secret_expires_in_days
  if (days === null || days === undefined) return null
  return days < 0 ? 'over' : days <= WARNED_DAYS ? 'soon' : null
}
