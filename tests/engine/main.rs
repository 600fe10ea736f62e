// SPDX-License-Identifier: GPL-3.0-or-later
//! The native engine: what a run does to mail.
//!
//! - [`sync_behaviour`]: between real servers, what each mode promises
//! - [`server_faults`]: between scripted servers that break, refuse and lie
//! - [`crash`]: `kill -9` at any moment
//! - [`properties`]: what holds for every input of its parts

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod accounts;
mod crash;
mod instance;
mod properties;
mod server_faults;
mod state_machine;
mod sync_behaviour;
