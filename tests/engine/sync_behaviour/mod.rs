// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run does to mail, against real servers: each promise that the engine makes, each folder and deletion mode,
//! and the odd cases that real mailboxes have.
//!
//! - [`content`]: every message arrives octet for octet, as many times as it is there
//! - [`names`]: folders, in all scripts and with all separators; which of them are pulled
//! - [`flags`]: flags of mail that is there already
//! - [`inbox`]: the inbox alone, Sieve, `\Seen`
//! - [`deletions`]: what is deleted, and what never is
//! - [`deciding_table`]: every state of a message with every option
//! - [`former_tasks`]: what a deleted task left in the ledger
//! - [`two_tasks`]: several tasks that fill one local mailbox
//! - [`limits`]: full, forbidden and read-only mailboxes
//! - [`changes`]: lost state, replaced folders, interruptions, mail that comes and goes meanwhile
//! - [`reports`]: dry runs and verification

mod changes;
mod content;
mod deciding_table;
mod deletions;
mod flags;
mod former_tasks;
mod inbox;
mod limits;
mod names;
mod reports;
mod two_tasks;
