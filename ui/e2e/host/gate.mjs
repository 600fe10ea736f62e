// SPDX-License-Identifier: GPL-3.0-or-later
// A door before a mail server: it can be slow, lead to another server, or be shut.
import { connect, createServer } from 'node:net'

export class Gate {
  #pace = 0
  /** When the next octet may come, in milliseconds since 1970. */
  #free = 0
  /** What waits for its turn: sockets, and what wakes them. */
  #waiting = new Map()

  /** Opens a door to `{ host, port }` on a free port. */
  static async open(target) {
    const gate = new Gate()
    gate.target = target
    /** Whether new connections are turned away. */
    gate.closed = false
    gate.host = '127.0.0.1'
    gate.sockets = new Set()
    gate.server = createServer((client) => gate.#join(client))
    await new Promise((resolve) => gate.server.listen(0, gate.host, resolve))
    gate.port = gate.server.address().port
    return gate
  }

  /** Octets that all connections together may bring in a second; 0 for no limit. A change counts at once. */
  set pace(pace) {
    this.#pace = pace
    this.#free = 0
    for (const [socket, timer] of this.#waiting) {
      clearTimeout(timer)
      socket.resume()
    }
    this.#waiting.clear()
  }

  #join(client) {
    if (this.closed) {
      client.destroy()
      return
    }
    const server = connect(this.target)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.sockets.delete(from)
        clearTimeout(this.#waiting.get(from))
        this.#waiting.delete(from)
        to.end()
      })
    }
    client.pipe(server)
    server.on('data', (chunk) => {
      client.write(chunk)
      if (this.#pace === 0) return
      server.pause()
      this.#free = Math.max(this.#free, Date.now()) + (chunk.length / this.#pace) * 1000
      const wake = () => {
        this.#waiting.delete(server)
        server.resume()
      }
      // No timer waits longer than 24 days.
      this.#waiting.set(server, setTimeout(wake, Math.min(this.#free - Date.now(), 2 ** 31 - 1)))
    })
  }

  /** Cuts those who are there, and turns new connections away until `closed` is false again. */
  cut() {
    this.closed = true
    for (const socket of this.sockets) socket.destroy()
  }

  /** Refuses new connections, and cuts those who are there. */
  async shut() {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
