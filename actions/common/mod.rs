// SPDX-License-Identifier: GPL-3.0-or-later
//! What the applets share.
//!
//! [`action`]: what one is · [`applet`]: one row of the table · [`frame`]: what surrounds an action · [`input`]: from JSON to a typed
//! request · [`context`]: the instance · [`fields`]: the fields of a task · [`selection`]: which tasks · [`rows`]:
//! tasks as CSV · [`table`]: CSV itself

pub(crate) mod action;
pub(crate) mod answer;
pub(crate) mod applet;
pub(crate) mod batch;
pub(crate) mod batch_job;
pub(crate) mod batch_report;
pub(crate) mod bulk_job;
pub(crate) mod context;
pub(crate) mod equal_refusals;
pub(crate) mod fields;
pub(crate) mod frame;
pub(crate) mod help;
pub(crate) mod import;
pub(crate) mod input;
pub(crate) mod instance;
pub(crate) mod mail_server;
pub(crate) mod metrics_server;
pub(crate) mod nothing;
pub(crate) mod outcome;
pub(crate) mod parallel;
pub(crate) mod planner;
pub(crate) mod platform;
pub(crate) mod provider;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod selection;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod table;
