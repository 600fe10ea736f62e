// SPDX-License-Identifier: GPL-3.0-or-later
//! The program as the platform, the container and administrators use it, each test in its own sandbox.
//!
//! - [`actions`]: tasks and settings, changed at any moment
//! - [`life_cycle`]: an instance restored, cloned, migrated, updated
//! - [`errors`]: what goes wrong around the module, and the key that says so
//! - [`batches`]: tasks that are moved together
//! - [`jobs`]: changes of many tasks that are found again
//! - [`schedules`]: when tasks start by themselves
//! - [`bulk`]: many tasks at once, and questions about tasks
//! - [`agent_protocol`]: what the agent sees and does
//! - [`name_service`]: no library of the host resolves names
//! - [`one_gate`]: mail is deleted in one place of the code only
//! - [`invalid_input`]: every field of every action with what must never be in it
//! - [`golden`]: recordings of the Python module, replayed
//! - [`copies`]: an instance that is cloned, moved or restored
//! - [`metrics`]: what Prometheus scrapes, and what the cluster is told about it
//! - [`syncctl`]: the program in the container
//! - [`sources`]: servers described once, and signing in there with a real authorization server
//! - [`release`]: one version, and what the list of applications asks for
//! - [`imapsync`]: runs by the other engine, with a stand-in for it

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod actions;
mod agent_protocol;
mod arriving;
mod batches;
mod bulk;
mod copies;
mod errors;
mod golden;
mod history;
mod imapsync;
mod invalid_input;
mod jobs;
mod life_cycle;
mod metrics;
mod name_service;
mod one_gate;
mod refused_logins;
mod release;
mod schedules;
mod sources;
mod support;
mod syncctl;
