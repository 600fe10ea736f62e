// SPDX-License-Identifier: GPL-3.0-or-later
//! Tasks that are moved together, looked at as one thing.
//!
//! - [`volume`]: how much mail there is, and how much of it has been moved
//! - [`jobs`]: what is done to every task and takes long; [`by_server`]: few of them at the same server
//! - [`forecast`]: whether a mailbox can be moved, and how long that will take
//! - [`start`]: when its first copy begins
//! - [`cutover`]: the steps to the new server; [`domains`]: what DNS says of the domains
//! - [`throughput`]: how fast it moved, over time

pub mod by_server;
pub mod cutover;
pub mod domains;
pub mod forecast;
pub mod jobs;
mod place;
pub mod start;
pub mod throughput;
pub mod volume;

use crate::error::Result;
use crate::task::{BatchName, Store, TaskName};

/// The tasks of a batch, sorted by their names.
///
/// # Errors
/// When the folder of the tasks cannot be read.
pub fn members(store: &Store, batch: &BatchName) -> Result<Vec<TaskName>> {
    let mut names = store.names()?;
    names.retain(|name| store.plan(name).batch == *batch);
    Ok(names)
}
