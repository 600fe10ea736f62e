// SPDX-License-Identifier: GPL-3.0-or-later
// Sources on the real actions, with a real issuer of tokens and a mail server that takes them: the owner of a mailbox
// signs in at the issuer's own page.
import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { checkAccessibility, launch, open, screenshot, step, WALKED } from './browser.mjs'
import { SandboxNode } from './host/sandbox.mjs'
import { serve } from './host/server.mjs'
import { button } from './stage.mjs'

const MESSAGES = 40
const MAILBOX = 'r1@example.com'
let browser, host, node, view

before(async () => {
  browser = await launch()
  node = await SandboxNode.start('--issuer', '--messages', String(MESSAGES))
  host = await serve(node)
})
after(async () => {
  await host?.close()
  await browser.close()
})
afterEach(() => view?.page.close())

const messages = (mailbox) => Object.values(mailbox).reduce((sum, folder) => sum + folder.length, 0)
const row = (user) => view.app.getByRole('row', { name: new RegExp(`Select the task of ${user} `) })

/** Fills in the panel of a source as the issuer wants it, but for the certificate of the mail server. */
async function createSource(kind, way) {
  const facts = node.info.sources[kind]
  view = await open(browser, host, 'page=sources&panel=new', { ignoreHTTPSErrors: true, viewport: WALKED })
  const panel = view.app.getByRole('dialog')
  await panel.getByLabel('Provider', { exact: true }).selectOption('oauth')
  await panel.getByLabel('Name', { exact: true }).fill(facts.label)
  await panel.getByLabel(way, { exact: true }).check()
  await panel.getByText('For special cases').click()
  const fields = {
    'IMAP server': facts.hostname,
    'Address of the OpenID provider': facts.issuer,
    'Application (client) ID': facts.client_id,
    Scope: facts.scope,
    "Certificates of the provider's own authority (PEM)": facts.authority_certificates,
  }
  if (facts.client_secret_password) fields['Client secret'] = facts.client_secret_password
  await panel.getByLabel('Encryption', { exact: true }).selectOption(facts.security)
  await panel.getByLabel('Port', { exact: true }).fill(String(facts.port))
  // The guide above shows the scope, too.
  for (const [label, value] of Object.entries(fields)) await panel.getByLabel(label, { exact: true }).last().fill(value)
  if (facts.client_authentication) await panel.getByLabel('How the client secret is sent').selectOption(facts.client_authentication)
  await panel.getByLabel('IMAP server', { exact: true }).last().scrollIntoViewIfNeeded()
  await step(view.page, `${kind}-source`)
  await button(panel, 'Save').click()
  await view.app.getByText(`The source ${facts.label} was saved.`).waitFor()
  return facts
}

/** What somebody does at the issuer's pages. */
async function signInAt(page, shown = false) {
  await page.locator('input[name=login]').fill(MAILBOX)
  await page.locator('input[name=password]').fill('anything')
  if (shown) await step(page, 'authorization-code-provider')
  await page.getByRole('button', { name: 'Sign-in' }).click()
  await page.getByRole('button', { name: 'Continue' }).waitFor()
  if (shown) await step(page, 'authorization-code-consent')
  await page.getByRole('button', { name: 'Continue' }).click()
}

it('lets the owner of a mailbox sign in by a window, and pulls the mail without a password', async () => {
  const facts = await createSource('authorization-code', 'The owner signs in with a browser')
  const { app, page } = view
  await app.getByRole('button', { name: `Test: ${facts.label}` }).click()
  await app.getByLabel('Mailbox at the source').fill(MAILBOX)
  await button(app.getByRole('dialog'), 'Test').click()
  await button(app, 'Sign in').waitFor()
  await step(page, 'authorization-code-needed')
  await button(app, 'Sign in').click()
  const dialog = app.getByRole('dialog', { name: /^Sign in for/ })
  await button(dialog, "Open the provider's page").waitFor()
  await step(page, 'authorization-code-begun')
  const [popup] = await Promise.all([page.waitForEvent('popup'), button(dialog, "Open the provider's page").click()])
  await signInAt(popup, true)
  await dialog.getByText('Tasks can open the mailbox now.').waitFor()
  await screenshot(view, 'real-signed-in')
  await step(page, 'authorization-code-done')
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  // The mail server has no certificate of an authority: the token goes nowhere before it is accepted.
  await button(app, 'Trust this certificate').click()
  // The secret was for a server without it.
  const panel = app.getByRole('dialog', { name: /^Edit the source/ })
  await panel.getByLabel('Client secret', { exact: true }).fill(facts.client_secret_password)
  await button(panel, 'Save').click()
  await app.getByText(`The source ${facts.label} was saved.`).waitFor()
  await app.getByRole('button', { name: `Test: ${facts.label}` }).click()
  await app.getByLabel('Mailbox at the source').fill(MAILBOX)
  await button(app.getByRole('dialog'), 'Test').click()
  await app.getByText('The source works for this mailbox.').waitFor()
  await screenshot(view, 'real-source-test')
  await step(page, 'authorization-code-tested')
  await checkAccessibility(view, 'the real test of a source')
  await app.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click()

  await app.getByRole('link', { name: 'Tasks' }).click()
  await button(app, 'Create a task').last().click()
  await app.getByRole('dialog').getByLabel('Source', { exact: true }).selectOption({ label: facts.label })
  await app.getByLabel('Destination user').fill('u1')
  await app.getByLabel('Mailbox at the source').fill(MAILBOX)
  await step(page, 'authorization-code-task')
  await button(app, 'Save and start').click()
  await app.getByText('The task of u1 was saved and started.').waitFor()
  await row('u1').getByText('Completed').waitFor({ timeout: 90_000 })
  await step(page, 'authorization-code-pulled')
  assert.equal(messages(await node.mailbox('local', 'u1')), messages(await node.mailbox('remote', MAILBOX)))
  await view.close()
})

it('lets the owner of a mailbox enter a code at another device', async () => {
  const facts = await createSource('device-code', 'The owner enters a code')
  const { app } = view
  await app.getByRole('button', { name: `Test: ${facts.label}` }).click()
  await app.getByLabel('Mailbox at the source').fill(MAILBOX)
  await button(app.getByRole('dialog'), 'Test').click()
  await button(app, 'Sign in').click()
  const dialog = app.getByRole('dialog', { name: /^Sign in for/ })
  const address = await dialog.getByRole('link').getAttribute('href')
  const code = await dialog.getByLabel('Code', { exact: true }).inputValue()
  await step(view.page, 'device-code-begun')
  const device = await browser.newPage({ ignoreHTTPSErrors: true, viewport: WALKED })
  await device.goto(address)
  if (await device.locator('input[name=user_code]').isVisible()) await device.locator('input[name=user_code]').fill(code)
  await step(device, 'device-code-device')
  await device.getByRole('button', { name: 'Continue' }).click()
  await signInAt(device)
  await dialog.getByText('Tasks can open the mailbox now.').waitFor()
  await step(view.page, 'device-code-done')
  await device.close()
  await view.page.close()
})
