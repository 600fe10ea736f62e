// SPDX-License-Identifier: GPL-3.0-or-later
// Serves the test host, the built page and Carbon's style sheet at the addresses of cluster-admin,
// and hands `api/` and `ws` on to a backend: the sandbox with the real actions (`--backend URL`), or
// a stand-in that plays them in memory.
import { createServer, request as httpRequest } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket, WebSocketServer } from 'ws'
import { StandIn } from './stand-in.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const ROOT = '/cluster-admin'
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
}

/** The file behind an address, or null. */
function fileOf(address) {
  if (address === `${ROOT}/css/core.css`) return path('../../node_modules/carbon-components/css/carbon-components.min.css')
  const app = new RegExp(`^${ROOT}/apps/[a-zA-Z0-9_-]+/(.*)$`).exec(address)
  if (app) return join(path('../../dist'), normalize(`/${app[1]}`))
  if (address === `${ROOT}/`) return path('index.html')
  return address === `${ROOT}/host.js` ? path('host.js') : null
}

/** Starts on a free port, or on `port`; `close` ends it. */
export async function serve({ port = 0, backend = '', standIn = new StandIn() } = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://host')
    if (pathname.startsWith(`${ROOT}/api/`)) {
      if (backend) return forward(backend, request, response)
      return standIn.handle(request, response, pathname.slice(`${ROOT}/api/`.length))
    }
    if (pathname === '/') return response.writeHead(302, { Location: `${ROOT}/` }).end()
    const file = fileOf(pathname)
    try {
      let content = await readFile(file)
      // Carbon's fonts come from the net; tests stay on this machine.
      if (extname(file) === '.css') content = String(content).replace(/@font-face\s*{[^}]*}/g, '')
      response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(content)
    } catch {
      response.writeHead(404).end('not found')
    }
  })

  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) => (backend ? bridge(backend, client) : standIn.join(client)))
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: actual } = server.address()
  return {
    url: `http://127.0.0.1:${actual}${ROOT}/`,
    standIn,
    async close() {
      for (const client of sockets.clients) client.terminate()
      standIn.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function forward(backend, request, response) {
  const target = new URL(request.url.slice(ROOT.length), backend)
  const onward = httpRequest(target, { method: request.method, headers: { ...request.headers, host: target.host } }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.writeHead(502).end())
  request.pipe(onward)
}

function bridge(backend, client) {
  const onward = new WebSocket(new URL('/ws', backend.replace(/^http/, 'ws')))
  const waiting = []
  onward.on('open', () => waiting.splice(0).forEach((data) => onward.send(data)))
  client.on('message', (data) => (onward.readyState === WebSocket.OPEN ? onward.send(String(data)) : waiting.push(String(data))))
  onward.on('message', (data) => client.send(String(data)))
  onward.on('close', () => client.close())
  onward.on('error', () => client.close())
  client.on('close', () => onward.close())
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const argument = (name) => process.argv[process.argv.indexOf(`--${name}`) + 1]
  const has = (name) => process.argv.includes(`--${name}`)
  const { url } = await serve({
    port: has('port') ? Number(argument('port')) : 8080,
    backend: has('backend') ? argument('backend') : '',
    standIn: new StandIn({ tasks: has('tasks') ? Number(argument('tasks')) : 60 }),
  })
  console.log(`The page is at ${url}`)
}
