// SPDX-License-Identifier: GPL-3.0-or-later
// What the suites on the stand-in share.
import { serve } from './host/server.mjs'
import { StandIn } from './host/stand-in.mjs'

/** Runs a test on its own host. */
export async function withHost(options, act) {
  const platform = new StandIn(options)
  const host = await serve(platform)
  try {
    await act(host, platform)
  } finally {
    await host.close()
  }
}

export const count = (platform, action) => platform.requests.filter((request) => request.action === action).length
export const requestsOf = (platform, action) => platform.requests.filter((request) => request.action === action)
export const button = (app, name) => app.getByRole('button', { name, exact: true })

/** Waits for what no element of the page tells. */
export async function until(ready, what, patience = 30_000) {
  const deadline = Date.now() + patience
  while (!(await ready())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export async function fillTask(app, changes = {}) {
  const values = { 'Destination user': 'anna.rossi', 'Source server': 'imap.example.com', 'Source user name': 'anna@old.org', Password: 'secret', ...changes }
  for (const [label, value] of Object.entries(values)) await app.getByLabel(label, { exact: true }).fill(value)
}
