// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run is asked to do.

pub mod assembly;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use crate::imap::{Mailbox, MailboxStatus};
use crate::sync::account::{Account, Failure};
use crate::sync::folder_mapping::Selection;
use crate::sync::reconcile::compare::ahead::ReadAhead;
use crate::sync::reconcile::deletions::different_mailboxes::Comparison;
use crate::sync::reconcile::narrow::elsewhere::Elsewhere;
use crate::sync::reconcile::narrow::period;
use crate::sync::reconcile::poison::PoisonMessages;
use crate::sync::reporter::Reporter;
use crate::sync::state::{Ledger, PostDelivery};
use crate::task::{FolderMode, FolderOptions, LocalUser, RemoteDeletion, Task, TaskName};

/// Everything that decides what is moved.
pub struct Job {
    /// The task's name.
    pub task: TaskName,
    /// host1.
    pub remote: Account,
    /// host2.
    pub local: Account,
    /// Which folders.
    pub selection: Selection,
    /// Whether local mail that is not on the remote side is deleted.
    pub delete_local: bool,
    /// What happens to delivered mail on the remote side.
    pub delete_remote: RemoteDeletion,
    /// Whether the Sieve filters run on what is delivered.
    pub sieve: bool,
    /// Other local users whose tasks pull from the same account: what is deleted there is gone for them.
    pub shared_with: Vec<LocalUser>,
    /// Another task of the same local user has the filters run on mail of the same account: what they are owed is its own.
    pub filters_elsewhere: bool,
    /// Nothing is changed on either side.
    pub dry: bool,
}

impl Job {
    /// The job of a task.
    pub fn new(
        task: &Task,
        options: FolderOptions,
        remote: Account,
        local: Account,
    ) -> Result<Self, Failure> {
        let excluded = task
            .exclusions
            .matchers()
            .map_err(|error| Failure::local(error.to_string()))?;
        let inbox = task.folders == FolderMode::Inbox;
        Ok(Self {
            selection: Selection {
                mode: task.folders,
                excluded,
                options,
            },
            // Only part of the remote mail is looked at in inbox mode, and mail deleted there is no reason to
            // delete it here: older task files may hold what is refused today.
            delete_local: task.delete_local && !inbox && !task.delete_remote.deletes(),
            delete_remote: task.delete_remote,
            sieve: task.runs_sieve(),
            shared_with: vec![],
            task: task.name(),
            filters_elsewhere: false,
            dry: false,
            remote,
            local,
        })
    }

    /// Whether only the unread mail of the inbox is moved.
    pub fn inbox_only(&self) -> bool {
        self.selection.mode == FolderMode::Inbox
    }

    /// What is left to do for a message after its delivery: Sieve, `\Seen`.
    pub fn post_delivery(&self) -> (PostDelivery, PostDelivery) {
        let wanted = |wanted: bool| {
            if wanted {
                PostDelivery::Wanted
            } else {
                PostDelivery::None
            }
        };
        (wanted(self.sieve), wanted(self.inbox_only()))
    }

    /// What a folder's record must say so that nothing has to be looked at again; another setting is another word.
    pub fn sync_fingerprint(&self, local_changes: &str) -> String {
        let deletion = match self.delete_remote {
            RemoteDeletion::Keep => "keep".to_owned(),
            RemoteDeletion::AfterTransfer => "delete".to_owned(),
            RemoteDeletion::OlderThan(days) => format!("older {days}"),
        };
        let options = &self.selection.options;
        format!(
            "{} {deletion} {} {local_changes} {} {}",
            self.selection.mode,
            self.sieve,
            options.labels.as_str(),
            period::fingerprint(options.period)
        )
    }
}

/// What the parts of a run share. A run is one thread; nothing is borrowed across a wait.
#[derive(Clone)]
pub struct Shared {
    /// The job.
    pub job: Rc<Job>,
    /// The state.
    pub state: Rc<RefCell<Ledger>>,
    /// Log, progress, report.
    pub reporter: Rc<RefCell<Reporter>>,
    /// Messages at which connections broke.
    pub poison: Rc<PoisonMessages>,
    /// The local mailbox is another one than before, and no run has come to its end since.
    pub mailbox_replaced: Rc<Cell<bool>>,
    /// This run found in its midst that the local mailbox had come back from a backup.
    pub restored_meanwhile: Rc<Cell<bool>>,
    /// The remote inbox is of another generation than at the last run: it may be another mailbox.
    pub source_replaced: Rc<Cell<bool>>,
    /// Whether both sides were seen to be two different mailboxes, once it was looked at.
    pub different_mailboxes: Rc<Cell<Option<Comparison>>>,
    /// The folders of the local side at the start.
    pub local_folders: Rc<RefCell<Vec<(Mailbox, MailboxStatus)>>>,
    /// The prefix of the user's own folders on the local side.
    pub local_prefix: Rc<RefCell<String>>,
    /// Remote folders whose UIDs mean other messages than before, under the same UIDVALIDITY.
    pub renumbered: Rc<RefCell<HashSet<Mailbox>>>,
    /// The youngest messages were asked for; a connection that breaks at that is not asked again.
    pub sampled: Rc<Cell<bool>>,
    /// What the folders before another one hold, where each message is copied once.
    pub elsewhere: Rc<Elsewhere>,
    /// Remote folders that are subscribed, once that was asked.
    pub subscribed: Rc<OnceCell<HashSet<Mailbox>>>,
    /// What remote folders told ahead of their comparison.
    pub ahead: Rc<ReadAhead>,
    /// Octets of changed flags that were told ahead of the work on their folders, about.
    pub flags_ahead: Rc<Cell<usize>>,
    /// How many folders broke connections.
    pub unusable: Rc<Cell<u32>>,
    /// How many of them came one after the other.
    pub broken_in_a_row: Rc<Cell<u32>>,
}

impl Shared {
    /// For one run.
    pub fn new(job: Job, state: Ledger, reporter: Rc<RefCell<Reporter>>) -> Self {
        Self {
            job: Rc::new(job),
            state: Rc::new(RefCell::new(state)),
            reporter,
            poison: Rc::default(),
            mailbox_replaced: Rc::default(),
            restored_meanwhile: Rc::default(),
            source_replaced: Rc::default(),
            subscribed: Rc::default(),
            different_mailboxes: Rc::default(),
            local_folders: Rc::default(),
            local_prefix: Rc::default(),
            renumbered: Rc::default(),
            sampled: Rc::default(),
            elsewhere: Rc::default(),
            ahead: Rc::default(),
            flags_ahead: Rc::default(),
            unusable: Rc::default(),
            broken_in_a_row: Rc::default(),
        }
    }
}
