// SPDX-License-Identifier: GPL-3.0-or-later
// Serves the test host, the built page and Carbon's style sheet at the addresses of cluster-admin.
// Behind `api/` and `ws` are the real actions in a sandbox (`--sandbox`), or a stand-in that plays
// them in memory.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { WebSocketServer } from 'ws'
import { SandboxNode } from './sandbox.mjs'
import { fill } from './showcase.mjs'
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
export async function serve(platform, port = 0) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://host')
    if (pathname.startsWith(`${ROOT}/api/`)) return platform.handle(request, response, pathname.slice(`${ROOT}/api/`.length))
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
    sockets.handleUpgrade(request, socket, head, (client) => platform.join(client))
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const { port: actual } = server.address()
  return {
    url: `http://127.0.0.1:${actual}${ROOT}/`,
    async close() {
      // First no one new may come in: an open page calls again as soon as it is cut off.
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      for (const client of sockets.clients) client.terminate()
      await platform.close()
      await closed
    },
  }
}

/** For people: `--sandbox` for the real actions, `--tasks N` for a stand-in with so many tasks, `--port N`. */
async function main() {
  const { values } = parseArgs({
    options: { sandbox: { type: 'boolean' }, tasks: { type: 'string', default: '60' }, port: { type: 'string', default: '8080' } },
  })
  const platform = values.sandbox ? await SandboxNode.start() : new StandIn({ tasks: Number(values.tasks) })
  let host
  let shut = () => {}
  const stop = async (code) => {
    console.log('Stopping')
    await (host ?? platform).close()
    await shut()
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void stop(0))
  try {
    host = await serve(platform, Number(values.port))
    if (values.sandbox) {
      console.log('Creating tasks, and running some of them')
      shut = await fill(platform)
    }
    console.log(`The page is at ${host.url}`)
    console.log('Press Control-C to stop it.')
  } catch (error) {
    console.error(error.code === 'EADDRINUSE' ? `Port ${values.port} is taken: choose another one with --port` : error.message)
    await stop(1)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
