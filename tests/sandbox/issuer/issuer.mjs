// SPDX-License-Identifier: GPL-3.0-or-later
// An authorization server for the tests: oidc-provider, a certified one, over HTTPS. In addition, over HTTP: the
// introspection that Dovecot asks, and the switches of the tests.
//
// node issuer.mjs SETTINGS.json, with {host, ready, key, certificate}: when everything listens, the file `ready` holds
// what the tests need to know.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { jwtVerify } from 'jose'
import { Provider } from 'oidc-provider'
import { browse } from './browser.mjs'

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const SCOPE = 'openid offline_access imap'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** What the tests switch. */
const state = {
  life: 3600,
  mode: 'ok',
  clock: 0,
  scopes: SCOPE,
  rotate: true,
  requests: [],
}

const rsa = () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { pem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), public: pair.publicKey }
}
const application = rsa()
const service = rsa()

const clients = [
  {
    client_id: 'application',
    client_secret: 'Application-s3cret',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    scope: 'imap',
  },
  {
    client_id: 'expired',
    client_secret: 'Application-s3cret',
    client_secret_expires_at: 1,
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    scope: 'imap',
  },
  {
    client_id: 'certified',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'PS256',
    jwks: { keys: [application.public.export({ format: 'jwk' })] },
    scope: 'imap',
  },
  {
    client_id: 'device',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    scope: SCOPE,
  },
  {
    client_id: 'web',
    client_secret: 'Web-s3cret',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    application_type: 'native',
    // A page of the tests may be at any port.
    redirect_uris: [
      'http://localhost',
      'https://cluster.example.com/oauth.html',
      'http://127.0.0.1/cluster-admin/apps/imapsync1/oauth.html',
    ],
    scope: SCOPE,
  },
  { client_id: 'service', grant_types: ['client_credentials'], client_secret: 'never-used', scope: 'imap' },
  { client_id: 'dovecot', client_secret: 'Introspect-s3cret', grant_types: [] },
].map((client) => ({ redirect_uris: [], response_types: [], ...client }))

const secure = https.createServer({ key: readFileSync(settings.key), cert: readFileSync(settings.certificate) })
const plain = http.createServer()
const listen = (server) =>
  new Promise((resolve) => server.listen(0, settings.host, () => resolve(server.address().port)))
const securePort = await listen(secure)
const plainPort = await listen(plain)
const issuer = `https://${settings.host}:${securePort}`

const configuration = {
  clients,
  scopes: ['openid', 'offline_access', 'imap'],
  claims: { openid: ['sub'] },
  cookies: { keys: ['of the tests'] },
  jwks: { keys: [{ ...createPrivateKey(rsa().pem).export({ format: 'jwk' }), use: 'sig', kid: 'one' }] },
  pkce: { required: () => true },
  rotateRefreshToken: () => state.rotate,
  issueRefreshToken: async (_ctx, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: { enabled: false },
  },
  clientAuthMethods: ['client_secret_post', 'client_secret_basic', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ['PS256'] },
  ttl: {
    AccessToken: () => state.life,
    ClientCredentials: () => state.life,
    RefreshToken: 86400,
    DeviceCode: 600,
    Session: 3600,
    Grant: 86400,
    Interaction: 600,
    IdToken: 600,
    AuthorizationCode: 60,
  },
  // Dovecot compares it with the user; what an application gets is good for everybody.
  extraTokenClaims: (_ctx, token) => ({ username: token.accountId ?? 'application' }),
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  renderError: (ctx, out) => {
    ctx.type = 'html'
    ctx.body = `<p>${out.error}: ${out.error_description}</p>`
  },
}
const provider = new Provider(issuer, configuration)
provider.proxy = true

/** A service account's statement for a token, as Google takes it: no client with it. */
const bearer = async (params) => {
  const options = { audience: `${issuer}/token`, issuer: 'service@project.example', algorithms: ['RS256'] }
  const now = new Date(Date.now() + state.clock * 1000)
  let claims
  try {
    claims = (await jwtVerify(params.get('assertion'), service.public, { ...options, currentDate: now })).payload
  } catch (error) {
    const description =
      error.code === 'ERR_JWT_EXPIRED' || /nbf|iat/.test(error.message)
        ? 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.'
        : 'Invalid JWT Signature.'
    return [400, { error: 'invalid_grant', error_description: description }]
  }
  if (claims.scope !== 'imap')
    return [401, { error: 'unauthorized_client', error_description: 'Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.' }]
  const client = await provider.Client.find('service')
  const token = new provider.AccessToken({ accountId: claims.sub, client, scope: 'imap', gty: 'jwt-bearer' })
  return [200, { access_token: await token.save(), expires_in: state.life, token_type: 'Bearer' }]
}

const body = (request) =>
  new Promise((resolve, reject) => {
    const pieces = []
    request.on('data', (piece) => pieces.push(piece))
    request.on('end', () => resolve(Buffer.concat(pieces)))
    request.on('error', reject)
  })

const answer = (response, status, content, headers = {}) => {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  const kind = typeof content === 'string' ? 'text/html' : 'application/json'
  response.writeHead(status, { 'content-type': kind, ...headers })
  response.end(text)
}

const callback = provider.callback()
secure.on('request', async (request, response) => {
  const path = new URL(request.url, issuer).pathname
  if (request.method !== 'POST' || path !== '/token') return callback(request, response)
  response.sendDate = false
  response.setHeader('date', new Date(Date.now() + state.clock * 1000).toUTCString())
  const text = (await body(request)).toString()
  const params = new URLSearchParams(text)
  state.requests.push(params.get('grant_type'))
  const { mode } = state
  if (mode === 'slow') return
  if (mode === 'html') return answer(response, 200, '<html>Welcome to the hotel</html>')
  if (mode === 'trouble') return answer(response, 503, '<html>later</html>')
  if (mode === 'busy') {
    state.mode = 'ok'
    return answer(response, 429, { error: 'slow_down' }, { 'retry-after': '1' })
  }
  if (typeof mode === 'object') return answer(response, mode.status, mode.body)
  if (params.get('grant_type') === JWT_BEARER) return answer(response, ...(await bearer(params)))
  // What was asked for is done, and no one hears of it.
  if (mode === 'lost') response.end = () => response
  // oidc-provider takes a body that was read already.
  request.body = Object.fromEntries(params)
  callback(request, response)
})

/** The switches of the tests. */
const control = async (order) => {
  const { browse: page, revoke, forget, ...switches } = order
  Object.assign(state, switches)
  if (forget)
    for (const { kind, value } of issued.filter((token) => token.kind !== 'RefreshToken'))
      await (await provider[kind].find(value))?.destroy()
  if (revoke) {
    // Whatever the person has agreed to is void, with all tokens.
    for (const kind of ['RefreshToken', 'AccessToken'])
      for (const token of issued.filter((token) => token.kind === kind && token.accountId === revoke))
        await (await provider[kind].find(token.value))?.destroy()
  }
  if (page) return { ended: await browse(page, { ca: readFileSync(settings.certificate), issuer }) }
  return { requests: state.requests }
}
const issued = []
for (const kind of ['access_token', 'client_credentials', 'refresh_token'])
  provider.on(`${kind}.saved`, (token) =>
    issued.push({ kind: token.kind, accountId: token.accountId, value: token.jti }),
  )

plain.on('request', async (request, response) => {
  if (request.url !== '/control') return callback(request, response)
  try {
    answer(response, 200, await control(JSON.parse((await body(request)).toString() || '{}')))
  } catch (error) {
    answer(response, 500, { error: String(error.stack) })
  }
})

const ready = {
  issuer,
  introspection: `http://dovecot:Introspect-s3cret@${settings.host}:${plainPort}/token/introspection`,
  control: `http://${settings.host}:${plainPort}/control`,
  application_key: application.pem,
  service_account: {
    type: 'service_account',
    client_email: 'service@project.example',
    client_id: '1234567890',
    private_key_id: 'one',
    private_key: service.pem,
    token_uri: `${issuer}/token`,
  },
}
writeFileSync(`${settings.ready}.new`, JSON.stringify(ready), { mode: 0o600 })
renameSync(`${settings.ready}.new`, settings.ready)
