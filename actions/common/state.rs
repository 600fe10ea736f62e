// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;
use ns8_imapsync::source::oauth::{Network, Tokens};
use ns8_imapsync::source::{OAuth, Source, Sources};
use ns8_imapsync::supervisor::entry;
use ns8_imapsync::supervisor::queue_file::Snapshot;
use ns8_imapsync::task::progress;
use ns8_imapsync::task::{Store, TaskName};
use schemars::JsonSchema;
use serde::Serialize;

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nothing.
    Idle,
    /// Waiting for its turn.
    Queued,
    /// Moving mail.
    Running,
    /// Ending on request.
    Stopping,
    /// Nothing, until somebody signs in at the provider for the remote mailbox.
    #[serde(rename = "sign_in_needed")]
    SignInNeeded,
}

impl State {
    /// Whether there is a run, be it one that waits.
    pub(crate) fn is_running(self) -> bool {
        !matches!(self, Self::Idle | Self::SignInNeeded)
    }
}

/// What is known of the sign-ins of people, without asking anybody.
struct SignIns<'a> {
    sources: &'a Sources,
    /// The sources where somebody signs in for each mailbox.
    personal: Vec<Source>,
}

impl<'a> SignIns<'a> {
    /// Reads the sources.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn new(sources: &'a Sources) -> Result<Self> {
        let ids = sources.ids()?;
        let readable = ids.iter().filter_map(|id| sources.load(id).ok());
        Ok(Self {
            sources,
            personal: readable
                .filter(|source| source.oauth().is_some_and(OAuth::needs_person))
                .collect(),
        })
    }

    /// Whether somebody has to sign in before a run of the task can do anything.
    fn is_needed(&self, store: &Store, name: &TaskName) -> bool {
        // Most instances have no such source, and this is asked for thousands of tasks.
        if self.personal.is_empty() {
            return false;
        }
        let Some(link) = store.options(name).source else {
            return false;
        };
        let source = self.personal.iter().find(|source| source.id == link.id);
        let network = Network::default();
        source
            .and_then(|source| Tokens::of(self.sources, source, &link.mailbox, &network))
            .and_then(|tokens| tokens.known_denial())
            .is_some_and(|denial| denial.sign_in_needed)
    }
}

/// What all tasks are doing at one moment, without asking anybody.
pub(crate) struct States<'a> {
    store: &'a Store,
    queue: Snapshot,
    sign_ins: SignIns<'a>,
}

impl<'a> States<'a> {
    /// Reads what there is to read for all tasks at once.
    ///
    /// # Errors
    /// When the sources cannot be listed.
    pub(crate) fn new(store: &'a Store, sources: &'a Sources) -> Result<Self> {
        Ok(Self {
            store,
            queue: Snapshot::read(store),
            sign_ins: SignIns::new(sources)?,
        })
    }

    /// The state of a task: it does something if its lock is held, or the supervisor has it in its queue.
    pub(crate) fn of(&self, name: &TaskName) -> State {
        let busy = self.store.is_busy(name).unwrap_or_default();
        match (busy, self.queue.entry(name).map(|entry| entry.state)) {
            (true, _) => match self.store.progress(name).map(|progress| progress.state) {
                Some(progress::State::Queued) => State::Queued,
                Some(progress::State::Stopping) => State::Stopping,
                Some(progress::State::Running) | None => State::Running,
            },
            // It has only just begun, or is about to be gone.
            (false, Some(entry::State::Running)) => State::Running,
            (false, Some(entry::State::Waiting | entry::State::Interrupted)) => State::Queued,
            (false, None) if self.sign_ins.is_needed(self.store, name) => State::SignInNeeded,
            (false, None) => State::Idle,
        }
    }
}
