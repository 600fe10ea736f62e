// SPDX-License-Identifier: GPL-3.0-or-later
//! What the host does with tasks and their runs, whichever action asks for it.
//!
//! - [`backup`]: copies of databases for the backup of the instance
//! - [`candidate`]: settings on their way to becoming a task: completed, tested on both sides, stored
//! - [`metrics`]: the state of the instance for Prometheus
//! - [`sources`]: editing and deleting sources, with the tasks that follow them
//! - [`runs`]: starting and stopping runs, and taking a task away from them

pub mod backup;
pub mod candidate;
pub mod metrics;
pub mod runs;
pub mod sources;
