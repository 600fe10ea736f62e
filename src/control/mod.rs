// SPDX-License-Identifier: GPL-3.0-or-later
//! What the host does with tasks and their runs, whichever action asks for it.
//!
//! - [`backup`]: copies of databases for the backup of the instance
//! - [`batches`]: tasks that are moved together, looked at as one thing
//! - [`bulk_job`]: what one action does to many tasks, found again later
//! - [`metrics`]: the state of the instance for Prometheus
//! - [`settings`]: settings on their way to becoming a task: completed, tested on both sides, stored
//! - [`sources`]: editing and deleting sources, with the tasks that follow them
//! - [`runs`]: starting and stopping runs, and taking a task away from them

pub mod backup;
pub mod batches;
pub mod bulk_job;
pub mod metrics;
pub mod runs;
pub mod settings;
pub mod sources;
mod state_files;
