// SPDX-License-Identifier: GPL-3.0-or-later
// Every screen of the page, and how to get there.
import { button, fillTask } from './stage.mjs'

const TASK = 'user=anna.rossi&task=t00000'

/** Opens the dialog in which the owner of a mailbox signs in. */
async function signIn(app, user) {
  await app.getByLabel('Search').fill(user)
  await app.getByRole('button', { name: /^Sign in for/ }).click()
  await app.getByText(/min.* left/).waitFor()
}

export const SCREENS = {
  status: ['page=status'],
  tasks: ['page=tasks'],
  'tasks-selected': ['page=tasks', (app) => app.locator('tbody input[type=checkbox]').first().check()],
  'tasks-none-found': ['page=tasks&q=nobody'],
  batch: ['page=batch&name=Autumn'],
  menu: [
    'page=tasks',
    (app) =>
      app
        .getByRole('button', { name: /^Actions for/ })
        .first()
        .click(),
  ],
  'panel-new': ['page=tasks&panel=new'],
  'panel-errors': ['page=tasks&panel=new', (app) => button(app, 'Save and start').click()],
  'panel-certificate': [
    'page=tasks&panel=new',
    async (app) => {
      await fillTask(app, { 'Source server': 'selfsigned.example.com' })
      await button(app, 'Test the connection').click()
      await button(app, 'Trust this certificate').waitFor()
    },
  ],
  'panel-folders': [
    'page=tasks&panel=edit&user=carla.meier&task=t00002',
    async (app) => {
      await button(app, 'Show the source folders').click()
      await app.getByText('9 of 11 folders').scrollIntoViewIfNeeded()
    },
  ],
  'panel-deletion': [
    'page=tasks&panel=edit&user=anna.rossi&task=t00000',
    async (app) => {
      await app.getByLabel('Delete messages at the source once they are copied').check()
      await app.getByLabel(/^Type .* to confirm/).scrollIntoViewIfNeeded()
    },
  ],
  'bulk-delete': [
    'page=tasks',
    async (app) => {
      // On a phone the head of the table, and with it the box for a whole page, gives way to cards.
      const box = app.getByLabel('Select all tasks of this page')
      if (await box.isVisible()) await box.check()
      else await button(app, 'Select all tasks of this page').click()
      await button(app, 'Delete').click()
    },
  ],
  sources: ['page=sources', (app) => button(app, 'Create a source').waitFor()],
  'source-new': ['page=sources&panel=new', (app) => app.getByText('API permissions', { exact: false }).scrollIntoViewIfNeeded()],
  'source-special': [
    'page=sources&panel=new',
    async (app) => {
      await app.getByLabel('Provider', { exact: true }).selectOption('oauth')
      await app.getByText('For special cases').click()
      await app.getByLabel("Certificates of the provider's own authority (PEM)").scrollIntoViewIfNeeded()
    },
  ],
  'source-test': [
    'page=sources',
    async (app) => {
      await app.getByRole('button', { name: 'Test: Microsoft 365' }).click()
      await app.getByLabel('Mailbox at the source').fill('ann@example.com')
      await button(app.getByRole('dialog'), 'Test').click()
      await app.getByText('The source works for this mailbox.').waitFor()
    },
  ],
  'sign-in-code': ['page=tasks', (app) => signIn(app, 'karin.smith')],
  'sign-in-browser': [
    'page=tasks',
    async (app) => {
      await signIn(app, 'luca.keller')
      await app.getByText('The window does not come back?').click()
    },
  ],
  'confirm-deletions': [
    'page=tasks',
    async (app) => {
      await app.getByRole('button', { name: 'Actions for anna.garcia', exact: true }).click()
      await app.getByRole('menuitem', { name: 'Confirm deletions that were held back' }).click()
      await app.getByText('57 messages', { exact: true }).waitFor()
    },
  ],
  import: ['page=import'],
  'import-rows': [
    'page=import',
    async (app) => {
      await app
        .getByLabel('Or paste the rows here')
        .fill('localuser;login;password;host;port;security\nanna.rossi;a@x.it;secret;imap.x.it;993;ssl\nnobody;b@x.it;secret;imap.x.it;99999;ssl\n')
      await button(app, 'Use these rows').click()
    },
  ],
  log: [`page=log&${TASK}`],
  'log-empty': ['page=log&user=jonas.bianchi&task=t00009'],
  history: [`page=history&${TASK}`, (app) => app.getByRole('img').waitFor()],
  'history-empty': ['page=history&user=jonas.bianchi&task=t00009'],
  compare: [`page=compare&${TASK}`, (app) => button(app, 'Compare folder by folder').click()],
  preview: [`page=preview&${TASK}`, (app) => button(app, 'Calculate').click()],
  verify: [`page=verify&${TASK}`, (app) => button(app, 'Verify').click()],
  settings: ['page=settings'],
  about: ['page=about'],
}
