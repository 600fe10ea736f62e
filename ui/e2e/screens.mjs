// SPDX-License-Identifier: GPL-3.0-or-later
// Every screen of the page, and how to get there.
import { button, fillTask } from './stage.mjs'

const TASK = 'user=anna.rossi&task=t00000'

export const SCREENS = {
  status: ['page=status'],
  tasks: ['page=tasks'],
  'tasks-selected': ['page=tasks', (app) => app.locator('tbody input[type=checkbox]').first().check()],
  'tasks-none-found': ['page=tasks&q=nobody'],
  menu: ['page=tasks', (app) => app.getByRole('button', { name: /^Actions for/ }).first().click()],
  'panel-new': ['page=tasks&panel=new'],
  'panel-errors': ['page=tasks&panel=new', (app) => button(app, 'Save and start').click()],
  'panel-certificate': ['page=tasks&panel=new', async (app) => {
    await fillTask(app, { 'Source server': 'selfsigned.example.com' })
    await button(app, 'Test the connection').click()
    await button(app, 'Trust this certificate').waitFor()
  }],
  'panel-folders': ['page=tasks&panel=edit&user=carla.meier&task=t00002', async (app) => {
    await button(app, 'Show the source folders').click()
    await app.getByText('9 of 11 folders').scrollIntoViewIfNeeded()
  }],
  'panel-deletion': ['page=tasks&panel=edit&user=anna.rossi&task=t00000', async (app) => {
    await app.getByLabel('Delete messages at the source once they are copied').check()
    await app.getByLabel(/^Type .* to confirm/).scrollIntoViewIfNeeded()
  }],
  'bulk-delete': ['page=tasks', async (app) => {
    // On a phone the head of the table, and with it the box for a whole page, gives way to cards.
    const box = app.getByLabel('Select all tasks of this page')
    if (await box.isVisible()) await box.check()
    else await button(app, 'Select all tasks of this page').click()
    await button(app, 'Delete').click()
  }],
  import: ['page=import'],
  'import-rows': ['page=import', async (app) => {
    await app.getByLabel('Or paste the rows here').fill('localuser;login;password;host;port;security\nanna.rossi;a@x.it;secret;imap.x.it;993;ssl\nnobody;b@x.it;secret;imap.x.it;99999;ssl\n')
    await button(app, 'Use these rows').click()
  }],
  log: [`page=log&${TASK}`],
  'log-empty': ['page=log&user=jonas.bianchi&task=t00009'],
  compare: [`page=compare&${TASK}`, (app) => button(app, 'Compare folder by folder').click()],
  preview: [`page=preview&${TASK}`, (app) => button(app, 'Calculate').click()],
  verify: [`page=verify&${TASK}`, (app) => button(app, 'Verify').click()],
  settings: ['page=settings'],
  about: ['page=about'],
}
