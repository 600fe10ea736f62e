// SPDX-License-Identifier: GPL-3.0-or-later
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Source, SourcePreset } from '../src/api/types.ts'
import { checkSource, expiryOf, fieldsOf, formOfSource, guideOf, inputOfSource, sourceFrom } from '../src/model/source.ts'

const preset = (id: string, more: Partial<SourcePreset> = {}): SourcePreset => ({
  id,
  label: id,
  hostname: 'imap.x',
  port: 993,
  security: 'ssl',
  sign_ins: [{ sign_in: 'application', scope: 'all' }],
  tenant: '',
  authority: '',
  token_endpoint: '',
  authorization_endpoint: '',
  device_endpoint: '',
  login_template: '',
  admin_method: 'template',
  ...more,
})
const microsoft = preset('microsoft-organisation')

describe('a source', () => {
  it('sends the fields of its way to sign in, and no others', () => {
    const form = { ...sourceFrom(microsoft), tenant: ' t ', client_id: 'c', client_secret_password: ' s ', admin_password: 'left over' }
    const input = inputOfSource(form, null)
    expect(input).toMatchObject({
      preset: 'microsoft-organisation',
      sign_in: 'application',
      tenant: 't',
      client_id: 'c',
      client_secret_password: ' s ',
      port: 993,
    })
    for (const name of ['admin_password', 'service_account_password', 'source_id', 'certificate', 'client_secret_expires'])
      expect(input).not.toHaveProperty(name)
    expect(inputOfSource(form, 'm365').source_id).toBe('m365')
  })

  it('leaves its secrets where they are when it is edited', () => {
    const source = {
      ...sourceFrom(microsoft),
      port: 993,
      connections: 2,
      runs: 3,
      old_encryption: false,
      tenant: 't',
      client_id: 'c',
      has_secret: true,
    } as unknown as Source
    const form = formOfSource(source)
    const keys = (changes: object) => checkSource({ ...form, ...changes }, source).map((one) => one.error)
    expect(keys({ label: 'Other', scope: 'less' })).toEqual([])
    expect(checkSource(form, null).map((one) => one.error)).toEqual(['client_secret_password_required'])
    expect(inputOfSource(form, 'x')).toMatchObject({ client_secret_password: '', connections: 2, runs: 3 })
    // They are never sent elsewhere; where none is needed, the module would forget it.
    for (const changes of [
      { hostname: 'imap.y' },
      { port: '143' },
      { security: '' },
      { certificate: 'ab' },
      { old_encryption: 'allowed' },
      { proxy: 'direct' },
      { tenant: 'u' },
    ]) {
      expect(keys(changes)).toEqual(['client_secret_password_required'])
      expect(keys({ ...changes, sign_in: 'device-code' })).toEqual(['client_secret_password_required'])
      expect(keys({ ...changes, client_secret_password: 's' })).toEqual([])
    }
  })

  it('refuses what is missing before it asks the module', () => {
    const keys = (changes: object) =>
      checkSource({ ...sourceFrom(microsoft), tenant: 't', client_id: 'c', client_secret_password: 's', ...changes }, null).map((one) => one.error)
    expect(keys({})).toEqual([])
    expect(keys({ label: ' ' })).toEqual(['label_required'])
    expect(keys({ hostname: 'a b' })).toEqual(['hostname_invalid'])
    expect(keys({ port: '0' })).toEqual(['port_invalid'])
    expect(keys({ connections: '17' })).toEqual(['connections_invalid'])
    expect(keys({ runs: '65' })).toEqual(['runs_invalid'])
    expect(keys({ bandwidth: 'much' })).toEqual(['bandwidth_invalid'])
    expect(keys({ proxy: 'proxy:3128' })).toEqual(['proxy_invalid'])
    expect(keys({ proxy: 'http://proxy:3128', proxy_user: 'u' })).toEqual(['proxy_password_required'])
    expect(keys({ proxy: 'socks5://[::1]:1080', proxy_user: 'u', proxy_password: 'p' })).toEqual([])
    expect(keys({ tenant: '', client_id: '' })).toEqual(['tenant_required', 'client_id_required'])
    expect(keys({ preset: 'oauth' })).toEqual(['issuer_required'])
    expect(keys({ preset: 'oauth', token_endpoint: 'https://x/token' })).toEqual([])
  })

  it('asks for no endpoint that was found out', () => {
    const stored = {
      ...sourceFrom(preset('oauth')),
      port: 993,
      connections: 0,
      runs: 0,
      issuer: 'https://x',
      token_endpoint: 'https://x/token',
    } as unknown as Source
    expect(formOfSource(stored).token_endpoint).toBe('')
    expect(formOfSource({ ...stored, issuer: '' }).token_endpoint).toBe('https://x/token')
  })

  it('asks for a template only where one is needed', () => {
    const form = { ...sourceFrom(preset('dovecot')), sign_in: 'administrator' as const }
    expect(fieldsOf(form).usual).toContain('login_template')
    expect(fieldsOf({ ...form, admin_method: 'authzid' }).usual).not.toContain('login_template')
  })

  it('warns of a secret thirty days before its end', () => {
    const days = (secret_expires_in_days: number | null) => expiryOf({ secret_expires_in_days } as Source)
    expect([null, 400, 31, 30, 0, -1].map(days)).toEqual([null, null, null, 'soon', 'soon', 'over'])
  })

  it('has a guide for every preset of the module', () => {
    const text = readFileSync(fileURLToPath(new URL('../../src/source/preset.rs', import.meta.url)), 'utf8')
    const ids = [...text.matchAll(/^ +id: "([\w-]+)",$/gm)].map((match) => match[1]!)
    expect(ids.length).toBeGreaterThanOrEqual(10)
    const english = JSON.parse(readFileSync(fileURLToPath(new URL('../public/i18n/en/translation.json', import.meta.url)), 'utf8'))
    for (const id of ids) {
      expect(english.provider, id).toHaveProperty(id)
      for (const sign_in of ['administrator', 'application', 'service-account', 'device-code', 'authorization-code'] as const) {
        const steps = guideOf({ preset: id, sign_in })
        expect(steps.length, `${id} ${sign_in}`).toBeGreaterThan(0)
        for (const step of steps)
          expect(
            step.split('.').reduce((at, name) => at?.[name], english),
            step,
          ).toBeTypeOf('string')
      }
    }
  })
})
