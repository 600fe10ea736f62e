// SPDX-License-Identifier: GPL-3.0-or-later
//! A node in a box: everything that the module finds around it on a NethServer 8 node, on loopback and free
//! ports, as any user. All of it ends when the [`Sandbox`] is dropped, or its process dies in whatever way.
//!
//! - [`sandbox`](Sandbox): the fluent face of all of it, for tests
//! - [`case`](Case): an account on either side and a task between them, many in one sandbox
//! - [`agent`]: runs actions, events and helpers as NS8's agent does
//! - [`redis`], [`cluster`]: the cluster's Redis and HTTP API, with faults to order
//! - [`dovecot`]: two real Dovecots, the remote one and the mail module
//! - [`issuer`]: a real authorization server, whose tokens the remote Dovecot takes
//! - [`mail`]: generated mail, and the reader that judges what arrived
//! - `container`, [`cron`]: the stand-in of the container and its crond
//! - [`proxy`]: a connection that is slow, or breaks
//! - [`demo`]: the whole thing shown to people
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use sandbox::{Sandbox, NewMail};
//!
//! let sandbox = Sandbox::start()?;
//! sandbox.remote().deliver("r1@example.com", &[NewMail::new("a@b").flags(&["\\Seen"])])?;
//! let run = sandbox.mark_run("u1_abc123");
//! assert!(sandbox.action("create-task", sandbox.task_input())?.is_ok());
//! sandbox.wait_for_run(&run)?;
//! assert_eq!(sandbox.local().mailbox("u1")?["INBOX"].len(), 1);
//! # Ok(())
//! # }
//! ```

pub mod agent;
pub mod case;
pub mod cluster;
mod container;
pub mod cron;
pub mod demo;
pub mod dovecot;
mod install;
pub mod issuer;
mod keeper;
pub mod mail;
mod node;
pub mod proxy;
pub mod redis;
mod sandbox;
mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use agent::{Agent, HelperOutcome, Outcome, Running};
pub use case::Case;
pub use cluster::ApiFault;
pub use dovecot::MailServer;
pub use install::{imageroot, project};
pub use issuer::Issuer;
pub use mail::{Imap, Mailbox, Message, NewMail, Plan, Side};
pub use node::{MARK, Node};
pub use proxy::Proxy;
pub use sandbox::{Builder, RunMark, Sandbox, StateFile, wait_until};
pub use server::{Server, free_port};

/// The UUID of the mail module `mail1`.
pub const MAIL_MODULE_UUID: &str = "e5ff8c3f-aaf6-4d93-9a33-dcb7ed094fdc";
/// The UUID of the module `imapsync1`.
pub const MODULE_UUID: &str = "5f0c2f4e-8f0e-4d56-a8ad-1a1b0a7e6d11";
/// The password of the mail module's master user `vmail`.
pub const MASTER_PASSWORD: &str = "Vm-Master_9.%S";

/// The host's own `PATH`: servers live in `sbin`, which people's `PATH` may lack.
fn system_path() -> &'static str {
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

/// Locks what another thread may have left in a panic: all of it is still whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
