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
pub mod start;
pub mod throughput;
pub mod volume;

use sha2::{Digest as _, Sha256};

use crate::control::state_files::StateFiles;
use crate::error::Result;
use crate::task::{BatchName, Store, TaskName};

/// So many octets of a digest tell batches apart.
const ID_OCTETS: usize = 16;

/// Where is kept what concerns a batch and none of its tasks.
fn stored(store: &Store, batch: &BatchName, kind: &str) -> StateFiles {
    let digest = Sha256::digest(batch.as_str());
    let id: String = digest
        .iter()
        .take(ID_OCTETS)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    StateFiles::new(store, ".batches", format!("{id}.{kind}"))
}

/// The tasks of a batch, sorted by their names.
///
/// # Errors
/// When the folder of the tasks cannot be read.
pub fn members(store: &Store, batch: &BatchName) -> Result<Vec<TaskName>> {
    let mut names = store.names()?;
    names.retain(|name| store.plan(name).batch == *batch);
    Ok(names)
}
