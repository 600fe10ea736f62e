// SPDX-License-Identifier: GPL-3.0-or-later
// Sources and signing in, on a stand-in for the actions.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { checkAccessibility, launch, open } from './browser.mjs'
import { Refusal } from './host/platform.mjs'
import { button, count, requestsOf, until, withHost } from './stage.mjs'

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const APPLICATION = {
  label: 'Our Microsoft 365',
  preset: 'microsoft-organisation',
  hostname: 'outlook.office365.com',
  port: 993,
  security: 'ssl',
  sign_in: 'application',
  tenant: 'contoso.example',
  client_id: '1111',
  client_secret_password: 'secret',
}
const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const sourceOf = (sign_in, more = {}) => ({ ...APPLICATION, label: `By ${sign_in}`, preset: 'oauth', sign_in, ...more })

describe('sources', () => {
  it('are created from a preset that says what to click, tested, edited and deleted', () =>
    withHost({ tasks: 3 }, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=sources')
      await app.getByText('No sources yet').waitFor()
      await button(app, 'Create a source').click()
      const panel = app.getByRole('dialog')
      await panel.getByLabel('Provider', { exact: true }).selectOption('microsoft-organisation')
      await panel.getByText('API permissions, Add a permission', { exact: false }).waitFor()
      await panel.getByLabel('Commands for Exchange Online PowerShell', { exact: true }).waitFor()
      await checkAccessibility({ app, ...view }, 'the panel of a source')
      await button(panel, 'Save').click()
      await panel.getByText('Directory (tenant) ID: fill in this field.').waitFor()
      assert.equal(count(platform, 'save-source'), 0)
      await panel.getByLabel('Name', { exact: true }).fill('Our Microsoft 365')
      await panel.getByLabel('Directory (tenant) ID').fill('contoso.example')
      await panel.getByLabel('Application (client) ID').fill('1111-2222')
      await panel.getByLabel('Client secret', { exact: true }).fill('expired')
      await panel.getByLabel('The secret is good until').fill(inDays(12))
      await button(panel, 'Save').click()
      await app.getByText('The source Our Microsoft 365 was saved.').waitFor()
      const { data } = requestsOf(platform, 'save-source')[0]
      assert.deepEqual(
        [data.preset, data.sign_in, data.hostname, data.port, data.security],
        ['microsoft-organisation', 'application', 'outlook.office365.com', 993, 'ssl'],
      )
      // An expiry that is near is warned of.
      await app.getByText(/12 more days\. Make a new one at the provider/).waitFor()

      await app.getByRole('button', { name: /^Test:/ }).click()
      const test = app.getByRole('dialog')
      await test.getByLabel('Mailbox at the source').fill('ann@contoso.example')
      await button(test, 'Test').click()
      await test.getByText('AADSTS7000222').waitFor()
      await test.getByText('The secret has expired: make a new one in Entra.').waitFor()
      await test.getByRole('button', { name: 'Close' }).last().click()

      await app.getByRole('button', { name: /^Edit:/ }).click()
      await panel.getByLabel('Client secret', { exact: true }).fill('secret')
      await panel.getByLabel('The secret is good until').fill(inDays(400))
      await button(panel, 'Save').click()
      await app.getByText('The source Our Microsoft 365 was saved.').waitFor()
      await app.getByText(/Make a new one at the provider/).waitFor({ state: 'detached' })
      await app.getByRole('button', { name: /^Test:/ }).click()
      await test.getByLabel('Mailbox at the source').fill('ann@contoso.example')
      await button(test, 'Test').click()
      await test.getByText('The source works for this mailbox.').waitFor()
      assert.equal(await test.getByText('This works.').count(), 4)
      await checkAccessibility({ app, ...view }, 'the test of a source')
      await test.getByRole('button', { name: 'Close' }).last().click()

      await app.getByRole('button', { name: /^Delete:/ }).click()
      await button(app.getByRole('dialog'), 'Delete').click()
      await app.getByText('The source Our Microsoft 365 was deleted.').waitFor()
      await view.close()
    }))

  for (const [preset, way, field] of [
    ['microsoft-personal', 'The owner enters a code', 'Application (client) ID'],
    ['google-workspace', 'A service account for the whole domain', 'Key file of the service account (JSON)'],
    ['google-account', 'The owner signs in with a browser', 'Redirect address of this node'],
    ['yahoo', 'The owner signs in with a browser', 'Redirect address of this node'],
    ['oauth', 'The owner signs in with a browser', 'Address of the OpenID provider'],
    ['dovecot', 'An administrator opens all mailboxes', 'Login name'],
    ['cyrus', 'An administrator opens all mailboxes', 'How the administrator opens a mailbox'],
    ['zimbra', 'An administrator opens all mailboxes', 'How the administrator opens a mailbox'],
    ['imap', 'A password for each mailbox', 'IMAP server'],
  ]) {
    it(`offer ${preset} with its usual way to sign in`, () =>
      withHost({}, async (host) => {
        const { app, ...view } = await open(browser, host, 'page=sources&panel=new')
        const panel = app.getByRole('dialog')
        await panel.getByLabel('Provider', { exact: true }).selectOption(preset)
        assert.ok(await panel.getByLabel(way, { exact: true }).isChecked())
        await panel.getByLabel(field, { exact: true }).waitFor()
        if (preset !== 'imap') await panel.getByText('What to do at the provider').waitFor()
        if (field.startsWith('Redirect'))
          assert.match(await panel.getByLabel(field, { exact: true }).inputValue(), /\/cluster-admin\/apps\/imapsync1\/oauth\.html$/)
        await view.close()
      }))
  }

  it('that tasks use cannot be deleted, and the tasks are named', () =>
    withHost({ tasks: 2 }, async (host, platform) => {
      const { source_id } = platform['save-source'](APPLICATION)
      for (const task of platform.tasks.values()) task.source = source_id
      const { app, ...view } = await open(browser, host, 'page=sources')
      await app.getByRole('button', { name: /^Delete:/ }).click()
      await app.getByText('It cannot be deleted: 2 tasks use it.', { exact: false }).waitFor()
      await app.getByText('anna.rossi, bruno.bianchi').waitFor()
      assert.equal(await button(app.getByRole('dialog'), 'Delete').count(), 0)
      assert.equal(count(platform, 'delete-source'), 0)
      await view.close()
    }))

  it('ask about a certificate, and for the secret again once it is accepted', () =>
    withHost({}, async (host, platform) => {
      platform['save-source'](
        sourceOf('administrator', {
          preset: 'dovecot',
          hostname: 'selfsigned.example.com',
          admin_user: 'root',
          admin_method: 'template',
          login_template: '{user}*{admin}',
          admin_password: 'secret',
        }),
      )
      const save = platform['save-source'].bind(platform)
      platform['save-source'] = (data) => {
        if (!data.admin_password) throw new Refusal([{ field: 'admin_password', parameter: 'admin_password', value: '', error: 'password_required' }])
        return save(data)
      }
      const { app, ...view } = await open(browser, host, 'page=sources')
      await app.getByRole('button', { name: /^Test:/ }).click()
      await app.getByLabel('Mailbox at the source').fill('ann')
      await button(app.getByRole('dialog'), 'Test').click()
      await button(app, 'Trust this certificate').click()
      await app.getByText('You accepted a certificate.', { exact: false }).waitFor()
      await app.getByLabel("Administrator's password").fill('secret')
      await button(app, 'Save').click()
      await app.getByText('was saved.', { exact: false }).waitFor()
      assert.match(requestsOf(platform, 'save-source').at(-1).data.certificate, /^[0-9a-f]{64}$/)
      await view.close()
    }))
})

describe('a task of a source', () => {
  it('needs the user and the mailbox only', () =>
    withHost({}, async (host, platform) => {
      platform['save-source'](APPLICATION)
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await app.getByRole('dialog').getByLabel('Source', { exact: true }).selectOption({ label: 'Our Microsoft 365' })
      assert.equal(await app.getByLabel('Source server').count(), 0)
      assert.equal(await app.getByLabel('Password', { exact: true }).count(), 0)
      await app.getByLabel('Destination user').fill('anna.rossi')
      await app.getByLabel('Mailbox at the source').fill('anna@contoso.example')
      await button(app, 'Save').click()
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      const { data } = requestsOf(platform, 'create-task')[0]
      assert.equal(data.source, 's1')
      assert.deepEqual(data.folder_options, { special_folders: true })
      for (const field of ['remotehostname', 'remoteport', 'security', 'remotepassword']) assert.ok(!(field in data), field)
      // An edit leaves the folders as they are.
      await app
        .getByRole('row', { name: /anna.rossi/ })
        .getByRole('button', { name: 'anna.rossi', exact: true })
        .click()
      assert.equal(await app.getByRole('dialog').getByLabel('Source', { exact: true }).inputValue(), 's1')
      await app.getByRole('dialog').getByLabel('Schedule').selectOption('h')
      await button(app, 'Save').click()
      await until(() => count(platform, 'create-task') === 2, 'the edit')
      assert.ok(!('folder_options' in requestsOf(platform, 'create-task')[1].data))
      await view.close()
    }))

  it('asks its owner for a code, with address, time and a message to send', () =>
    withHost({}, async (host, platform) => {
      platform['save-source'](sourceOf('device-code'))
      const { app, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await app.getByRole('dialog').getByLabel('Source', { exact: true }).selectOption({ label: 'By device-code' })
      await app.getByLabel('Destination user').fill('anna.rossi')
      await app.getByLabel('Mailbox at the source').fill('anna@old.org')
      await button(app, 'Save and start').click()
      const dialog = app.getByRole('dialog', { name: 'Sign in for anna@old.org' })
      await dialog.getByRole('link', { name: 'https://provider.example/device' }).waitFor()
      assert.equal(await dialog.getByLabel('Code', { exact: true }).inputValue(), 'WDJB-MJHT')
      await dialog.getByText(/1[45] min.* left/).waitFor()
      await view.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await button(dialog, "Copy a message for the mailbox's owner").click()
      await button(dialog, 'Copied').waitFor()
      const message = await view.frame().evaluate(() => navigator.clipboard.readText())
      assert.match(message, /anna@old\.org.*https:\/\/provider\.example\/device.*WDJB-MJHT/)
      await checkAccessibility({ app, ...view }, 'the dialog with a code')
      for (const begun of platform.signIns.values()) begun.entered = true
      await dialog.getByText('Tasks can open the mailbox now.').waitFor()
      await dialog.getByRole('button', { name: 'Close' }).last().click()
      await app.getByText('The task of anna.rossi was saved and started.').waitFor()
      await view.close()
    }))

  it('says when the time is over or the owner declines, and begins again', () =>
    withHost({}, async (host, platform) => {
      const { source_id } = platform['save-source'](sourceOf('device-code'))
      platform['create-task']({
        task_id: 'one',
        localuser: 'anna.rossi',
        remoteusername: 'anna@old.org',
        remotehostname: 'x',
        remotepassword: 'secret',
        remoteport: 993,
        security: 'ssl',
        exclude: '',
        cron: '',
        foldersynchronization: 'all',
        start: false,
      })
      platform.tasks.get('anna.rossi/one').source = source_id
      platform.patience = 2
      const { app, ...view } = await open(browser, host, 'page=tasks')
      await app.getByText('Sign-in needed').last().waitFor()
      await app.getByRole('button', { name: 'Sign in for anna@old.org' }).click()
      await app.getByText('The time is over. Begin again.').waitFor()
      platform.patience = 900
      platform.declined = true
      await button(app, 'Begin again').click()
      await app.getByText('The owner declined: ask again.').waitFor()
      platform.declined = false
      await button(app, 'Begin again').click()
      await app.getByLabel('Code', { exact: true }).waitFor()
      for (const begun of platform.signIns.values()) begun.entered = true
      await app.getByText('Tasks can open the mailbox now.').waitFor()
      await app.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click()
      await app.getByText('Tasks can open the mailbox anna@old.org now.').waitFor()
      await app.getByRole('button', { name: 'Sign in for anna@old.org' }).waitFor({ state: 'detached' })
      await view.close()
    }))

  it("signs its owner in by a window of the provider, and takes no other sign-in's answer", () =>
    withHost({}, async (host, platform) => {
      platform['save-source'](sourceOf('authorization-code'))
      platform.foreign = true
      const { app, page, ...view } = await open(browser, host, 'page=tasks&panel=new')
      await app.getByRole('dialog').getByLabel('Source', { exact: true }).selectOption({ label: 'By authorization-code' })
      await app.getByLabel('Destination user').fill('anna.rossi')
      await app.getByLabel('Mailbox at the source').fill('anna@old.org')
      await button(app, 'Save').click()
      await Promise.all([page.waitForEvent('popup'), button(app, "Open the provider's page").click()])
      await app.getByText('What came back belongs to another sign-in.', { exact: false }).waitFor()
      assert.equal(count(platform, 'complete-sign-in'), 0)
      platform.foreign = false
      await app
        .getByRole('dialog', { name: /^Sign in for/ })
        .getByRole('button', { name: 'Cancel' })
        .click()
      await button(app, 'Save').click()
      const [popup] = await Promise.all([page.waitForEvent('popup'), button(app, "Open the provider's page").click()])
      await app.getByText('Tasks can open the mailbox now.').waitFor()
      await until(() => popup.isClosed(), 'the window to close')
      await app
        .getByRole('dialog', { name: /^Sign in for/ })
        .getByRole('button', { name: 'Close' })
        .last()
        .click()
      await app.getByText('The task of anna.rossi was saved.').waitFor()
      await view.close()
    }))

  it('takes no word of another origin or window, and a pasted address as the way out', () =>
    withHost({}, async (host, platform) => {
      platform['save-source'](sourceOf('authorization-code'))
      const { app, page, ...view } = await open(browser, host, 'page=sources')
      await app.getByRole('button', { name: /^Test:/ }).click()
      await app.getByLabel('Mailbox at the source').fill('anna@old.org')
      await button(app.getByRole('dialog'), 'Test').click()
      await button(app, 'Sign in').click()
      await app.getByText('The window does not come back?').click()
      const address = await app.getByLabel('Address to sign in', { exact: true }).inputValue()
      // The parent is of this origin, but is not the window that was opened.
      await page.evaluate((address) => document.querySelector('iframe').contentWindow.postMessage({ kind: 'imapsync-sign-in', address }, '*'), address)
      await app.getByLabel('Address where the browser ended').fill(address)
      assert.equal(count(platform, 'complete-sign-in'), 0)
      await button(app, 'Use this address').click()
      await app.getByText('Tasks can open the mailbox now.').waitFor()
      await app
        .getByRole('dialog', { name: /^Sign in for/ })
        .getByRole('button', { name: 'Close' })
        .last()
        .click()
      await app.getByText('The source works for this mailbox.').waitFor()
      await view.close()
    }))

  it('is imported from addresses alone', () =>
    withHost({}, async (host, platform) => {
      platform['save-source'](APPLICATION)
      const { app, ...view } = await open(browser, host, 'page=import')
      await app.getByLabel('Or paste the rows here').fill('localuser,email\nanna.rossi,anna@contoso.example\nbruno.bianchi,bruno@contoso.example\n')
      await button(app, 'Use these rows').click()
      await app.getByLabel('Source of all rows').selectOption({ label: 'Our Microsoft 365' })
      await app.getByText('2 rows can be imported.', { exact: false }).waitFor()
      await button(app, 'Import 2 rows').click()
      await app.getByText('2 created').waitFor()
      const { data } = requestsOf(platform, 'import-tasks')[0]
      assert.deepEqual(
        data.tasks.map(({ source, remoteusername }) => [source, remoteusername]),
        [
          ['s1', 'anna@contoso.example'],
          ['s1', 'bruno@contoso.example'],
        ],
      )
      for (const row of data.tasks) {
        assert.deepEqual(row.folder_options, { special_folders: true })
        for (const field of ['remotehostname', 'remoteport', 'security', 'remotepassword']) assert.ok(!(field in row), field)
      }
      await view.close()
    }))
})

it('tells where the browser ended to one who has no window to go back to', () =>
  withHost({}, async (host) => {
    const page = await browser.newPage()
    await page.goto(`${host.url}apps/imapsync1/oauth.html?code=c0de&state=one`)
    await page.getByText('Copy this address into the field', { exact: false }).waitFor()
    assert.match(await page.getByRole('textbox').inputValue(), /oauth\.html\?code=c0de&state=one$/)
    assert.ok(!page.url().includes('c0de'))
    await page.close()
  }))

describe('what is known of a task', () => {
  it('is forgotten after a question', () =>
    withHost({ tasks: 3 }, async (host, platform) => {
      const { app, ...view } = await open(browser, host, 'page=tasks')
      await app.getByRole('button', { name: 'Actions for anna.rossi' }).click()
      await app.getByRole('menuitem', { name: 'Forget what is known and compare again' }).click()
      await app.getByText('Nothing is copied twice', { exact: false }).waitFor()
      assert.equal(count(platform, 'compare-again'), 0)
      await button(app, 'Forget and compare').click()
      await app.getByText('1 task compares both sides in its next run.').waitFor()
      assert.deepEqual(requestsOf(platform, 'compare-again')[0].data.tasks, [{ localuser: 'anna.rossi', task_id: 't00000' }])
      await view.close()
    }))

  it('has deletions confirmed that the last run held back, after typing how many', () =>
    withHost({ tasks: 3 }, async (host, platform) => {
      platform.tasks.get('anna.rossi/t00000').delete_local = true
      const { app, ...view } = await open(browser, host, 'page=tasks')
      const choose = async () => {
        await app.getByRole('button', { name: 'Actions for anna.rossi' }).click()
        await app.getByRole('menuitem', { name: 'Confirm deletions that were held back' }).click()
      }
      await choose()
      await app.getByText('The last run held nothing back.').waitFor()
      await button(app, 'Cancel').click()
      platform.held = new Set(['anna.rossi/t00000'])
      await choose()
      const dialog = app.getByRole('dialog')
      await dialog.getByRole('listitem').filter({ hasText: 'Drafts' }).getByText('57 messages').waitFor()
      await dialog.getByText('more than half of the folder would go').waitFor()
      await checkAccessibility({ app, ...view }, 'the deletions to confirm')
      await button(dialog, 'Confirm these deletions').click()
      await dialog.getByText('Type exactly: 57').waitFor()
      assert.equal(count(platform, 'confirm-deletions'), 0)
      await dialog.getByLabel('Type 57 to confirm').fill('57')
      await button(dialog, 'Confirm these deletions').click()
      await app.getByText('1 task deletes in its next run what was confirmed.').waitFor()
      assert.deepEqual(requestsOf(platform, 'confirm-deletions')[0].data.tasks, [{ localuser: 'anna.rossi', task_id: 't00000' }])
      await view.close()
    }))

  it('is not offered for deletions to a task that deletes nothing at the destination', () =>
    withHost({ tasks: 3 }, async (host) => {
      const { app, ...view } = await open(browser, host, 'page=tasks')
      await app.getByRole('button', { name: 'Actions for anna.rossi' }).click()
      await app.getByRole('menuitem', { name: 'Verify' }).waitFor()
      assert.equal(await app.getByRole('menuitem', { name: 'Confirm deletions that were held back' }).count(), 0)
      await view.close()
    }))
})

it('resumes schedules that pause since the instance is a copy', () =>
  withHost({ tasks: 3 }, async (host, platform) => {
    platform.configuration.schedules_paused = true
    const { app, ...view } = await open(browser, host, 'page=status')
    await app.getByText('All schedules pause').waitFor()
    await button(app, 'Resume the schedules').click()
    await app.getByText('The schedules are running again.').waitFor()
    assert.equal(count(platform, 'resume-schedules'), 1)
    await view.close()
  }))
