// SPDX-License-Identifier: GPL-3.0-or-later
//! Moving mail from host1 (remote, the source) to host2 (local, the destination).
//!
//! - [`run`]: one run of a task from lock to summary; an [`engine`] does the moving. [`job`]: what a run is asked to do.
//! - [`native`]: the native engine. [`imapsync`]: the stock program as engine.
//! - [`reconcile`]: what both sides have and what follows from it, whichever engine copies.
//! - [`news`]: a connection to the source that reports new mail, between the runs.
//! - [`inspect`]: login test, count, preview, verify.
//! - [`state`]: what is remembered between runs. [`message_key`]: what makes two messages the same.
//! - [`folder_mapping`]: which remote folders are selected and what they are called locally.
//! - [`side`]: host1 or host2; [`account`]: the login there; [`access`]: what it logs in with. [`event`]: what a run tells, and its words;
//!   [`reporter`]: log, progress and report; [`log_problems`]: which lines of a log report a problem. [`exit_code`]:
//!   how a run ends.
//! - [`bandwidth`]: how much bandwidth runs may use.
//! - [`instance`]: the container and its settings. [`runtime`]: the thread that waits for servers and signals.

pub mod access;
pub mod account;
pub mod bandwidth;
pub mod engine;
pub mod event;
pub mod exit_code;
pub mod folder_mapping;
pub mod imapsync;
pub mod inspect;
pub mod instance;
pub mod job;
pub mod log_problems;
pub mod message_key;
pub mod native;
pub mod news;
pub mod reconcile;
pub mod reporter;
pub mod run;
pub mod runtime;
pub mod side;
pub mod state;

pub use engine::Engine;
pub use exit_code::Exit;
