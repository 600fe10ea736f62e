// SPDX-License-Identifier: GPL-3.0-or-later
// A STAND-IN for the actions that tell of folders and of what runs did, in memory.
import { BatchesStandIn } from './stand-in-batches.mjs'
import { key } from './stand-in-sources.mjs'

export const FOLDERS = ['INBOX', 'Archive', 'Archive/2023', 'Archive/2024', 'Drafts', 'Sent', 'Spam', 'Trash', 'Work', 'Work/Acme, Inc.', 'Privat/Förderverein']

/** The actions about one task's mail; what plays the tasks holds them in `tasks` and `runs`. */
export class MailStandIn extends BatchesStandIn {
  'browse-folders'(data) {
    if (data.remotehostname) {
      const { remote } = this['validate-task'](data)
      if (remote.status !== 'ok') return { status: remote.status, message: remote.message }
    }
    const use = { Drafts: '\\Drafts', Sent: '\\Sent', Spam: '\\Junk', Trash: '\\Trash' }
    const folders = FOLDERS.map((name, at) => ({
      name,
      messages: (at * 517) % 2300,
      bytes: ((at * 517) % 2300) * 26_500,
      special_use: use[name] ?? null,
      selectable: true,
      excluded: false,
    }))
    const sum = (field) => folders.reduce((total, folder) => total + folder[field], 0)
    return { folders, messages: sum('messages'), bytes: sum('bytes') }
  }

  'list-informations'(data) {
    if (!this.tasks.has(key(data))) return { status: false }
    return { status: true, host1Folders: 11, host2Folders: 11, host1Messages: 11_374, host2Messages: 11_370, host1Sizes: 301_411_000, host2Sizes: 301_305_000 }
  }

  'get-history'(data) {
    const task = this.tasks.get(key(data))
    if (!task?.last_sync_timestamp) return { runs: [] }
    const runs = Array.from({ length: 42 }, (_, at) => ({
      started: task.last_sync_timestamp - at * 3600,
      ended: task.last_sync_timestamp - at * 3600 + 4 + (at % 9),
      exit_code: at === 0 ? task.last_sync_exit_code : at % 11 === 5 ? 101 : 0,
      error: at === 0 ? task.last_sync_error : null,
      copied: at % 11 === 5 ? 0 : at === 41 ? 1400 : (at * 131) % 170,
      failed: 0,
      deleted: 0,
      bytes: at % 11 === 5 ? 0 : ((at * 131) % 170) * 26_500,
    }))
    return { runs }
  }

  'get-log'(data) {
    const run = this.runs.get(key(data))
    const task = this.tasks.get(key(data))
    if (!run && !task?.last_sync_timestamp) return { log_content: '', truncated: false }
    const wrong = task?.last_sync_exit_code ? 1 : 0
    const problems = []
    const held_back = []
    const tell = (failed, line) => {
      lines.push(line)
      if (failed) problems.push(lines.length)
    }
    const lines = ['Native engine 1.0.0', 'Host1: imap.example.com, TLSv1.3, Dovecot', 'Host2: 10.5.4.1, STARTTLS']
    for (const [at, folder] of FOLDERS.entries()) {
      const failed = at === 4 ? wrong : 0
      if (at === 4 && this.held?.has(key(data))) {
        const reason = 'more than half of the folder would go'
        tell(true, `Error: folder [${folder}]: 57 messages were not deleted locally: ${reason}; confirm these deletions if they are meant`)
        held_back.push({ folder, messages: 57, reason })
      }
      if (failed) tell(true, `Error: message ${folder}/17 <20240102.1234@old.example.com>: NO [LIMIT] Message too large`)
      tell(
        failed,
        `Folder [${folder}] -> [${folder}]: ${(at * 37) % 211} copied, ${(at * 517) % 2300} already there, ${failed} failed, 0 flags, 0 deleted locally, 0 deleted remotely`,
      )
    }
    if (!run) {
      tell(false, 'Messages transferred                    : 1117')
      tell(wrong, `Messages failed                         : ${wrong}`)
      tell(wrong, `Detected ${wrong} errors`)
      tell(wrong, wrong ? 'Exiting with return value 111 (EXIT_WITH_ERRORS)' : 'Exiting with return value 0 (EX_OK)')
    }
    return { log_content: `${lines.join('\n')}\n`, truncated: false, problems, held_back }
  }

  'preview-task'(data) {
    if (this.tasks.get(key(data))?.last_sync_error) return { status: this.tasks.get(key(data)).last_sync_error, message: '' }
    const folders = FOLDERS.slice(0, 5).map((name, at) => ({
      remote: name,
      local: name,
      copy: at * 13,
      bytes: at * 344_500,
      flag: at,
      delete_local: 0,
      delete_remote: at === 3 ? 12 : 0,
    }))
    const sum = (field) => folders.reduce((total, folder) => total + folder[field], 0)
    return {
      folders,
      copy: sum('copy'),
      bytes: sum('bytes'),
      flag: sum('flag'),
      delete_local: 0,
      delete_remote: 12,
      patterns: [],
      warnings: ['More than half of Archive would be deleted; nothing is deleted there.'],
    }
  }

  'verify-task'({ deep, ...task }) {
    if (this.tasks.get(key(task))?.last_sync_error) return { status: this.tasks.get(key(task)).last_sync_error, message: '' }
    const folders = FOLDERS.map((name, at) => ({
      remote: name,
      local: name,
      remote_messages: at * 517,
      local_messages: at * 517 - (at === 4 ? 1 : 0),
      missing: at === 4 ? 1 : 0,
      extra: 0,
      different: deep && at === 2 ? 1 : 0,
      gone: 0,
      not_as_recorded: 0,
    }))
    const differences = [{ folder: 'Drafts', uid: 17, message_id: '<20240102.1234@old.example.com>', kind: 'missing', remote: 41_200_113, local: null }]
    if (deep) differences.push({ folder: 'Archive/2023', uid: 4, message_id: '<a@b>', kind: 'flags', remote: '\\Seen', local: '' })
    return { agree: false, folders, differences, truncated: false }
  }
}
