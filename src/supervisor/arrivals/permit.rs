// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether a task is listened for, as its files say.

use crate::source::Sources;
use crate::source::oauth::{Network, Tokens};
use crate::task::{FileKind, Refusals, SourceId, Store, TaskName};

/// A task that is to be listened for.
#[derive(Debug)]
pub(super) struct Permit {
    /// The source that it follows.
    pub(super) source: Option<SourceId>,
    /// Whether the source allows so many connections only that a run may need this one.
    pub(super) limited: bool,
    /// Whether the last login was not refused.
    pub(super) gets_in: bool,
}

impl Permit {
    /// That of a task; `None` when it is not to be listened for: no one wants it, its schedule waits or pauses, or the
    /// schedules of all.
    pub(super) fn of(store: &Store, name: &TaskName) -> Option<Self> {
        let options = store.options(name);
        let refusals = store.refusals(name);
        if !options.as_it_arrives
            || !store.path(name, FileKind::Env).exists()
            || store.are_schedules_paused()
            || store.plan(name).on_hold
            || refusals.pause()
        {
            return None;
        }
        let source = options.source.map(|link| link.id);
        let read = source
            .as_ref()
            .and_then(|id| Sources::of(store).read(id).ok().flatten());
        Some(Self {
            source,
            gets_in: refusals == Refusals::default(),
            limited: read.is_some_and(|source| source.connections.is_some()),
        })
    }
}

/// Whether no one has to sign in for the mailbox of a task, as far as can be told without asking any server.
pub(super) fn is_signed_in(store: &Store, name: &TaskName) -> bool {
    let Some(link) = store.options(name).source else {
        return true;
    };
    let sources = Sources::of(store);
    let source = sources.read(&link.id).ok().flatten();
    let tokens = source.and_then(|source| Tokens::of(&sources, &source, &link.mailbox, &Network::default()));
    let denial = tokens.and_then(|tokens| tokens.known_denial());
    denial.is_none_or(|denial| !denial.sign_in_needed)
}
