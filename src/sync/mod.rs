// SPDX-License-Identifier: GPL-3.0-or-later
//! Moving mail from host1 (remote) to host2 (local).
//!
//! - [`run`]: one run of a task; an [`engine`] does the moving. [`assembly`]: from its files to its job. [`driver`]:
//!   the thread that waits for servers and signals. [`conclusion`]: what the run leaves behind.
//! - [`native`]: the native engine, phase by phase. [`folders`]: selection and names.
//! - [`imapsync`]: stock imapsync as the engine, and what it cannot do done for it.
//! - [`engine`]: which of them. [`instance`]: the container and its settings. [`queue`]: how many runs work at once,
//!   in which order.
//! - [`state`]: what is remembered between runs. [`key`]: by what messages are the same.
//! - [`account`], [`job`], [`recorder`], [`exit`]: both logins, what is asked, what is told, how it ends.
//! - [`suspects`]: messages at which connections break.
//! - [`bar`]: the progress on a terminal. [`stop`]: ending a run from outside.
//! - [`check`], [`count`]: the login test of both sides, the figures of both sides.
//! - [`preview`], [`verify`]: what a run would do; whether both sides hold the same mail.

pub mod account;
pub mod assembly;
pub mod bar;
pub mod check;
pub mod conclusion;
pub mod count;
pub mod driver;
pub mod engine;
pub mod exit;
pub mod folders;
pub mod imapsync;
pub mod instance;
pub mod job;
pub mod key;
pub mod native;
pub mod preview;
pub mod queue;
pub mod recorder;
pub mod run;
pub mod state;
pub mod stop;
pub mod suspects;
pub mod verify;

pub use engine::Engine;
pub use exit::Exit;
