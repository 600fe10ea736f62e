// SPDX-License-Identifier: GPL-3.0-or-later
//! Real mail servers of other makers, each as the source of a task: what `docs/servers.md` says of them.
//!
//! `cargo test --test servers` tries the formats and namespaces of the Dovecot that the sandbox has. `tests/servers/run.sh`
//! gets the other servers first, tries all, and prints what could not be had.
//!
//! - [`mailbox`]: the hard cases that every server is filled with
//! - [`source`]: a server that runs, and what is its own about it
//! - [`steps`]: what is tried on each
//! - one file per server

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod courier;
mod cyrus;
mod dovecot;
mod dovecot_24;
mod mailbox;
mod mailutils;
mod old_encryption;
mod proxies;
mod pymap;
mod source;
mod steps;
mod twisted;
