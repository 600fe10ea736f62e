// SPDX-License-Identifier: GPL-3.0-or-later
//! What the applets share.
//!
//! [`action`]: what one is · [`applet`]: one row of the table · [`frame`]: what surrounds an action · [`input`]: from JSON to a typed
//! request · [`context`]: the instance · [`fields`]: the fields of a task · [`selection`]: which tasks · [`rows`]:
//! tasks as CSV · [`table`]: CSV itself

pub mod action;
pub mod answer;
pub mod applet;
pub mod context;
pub mod fields;
pub mod frame;
pub mod help;
pub mod import;
pub mod input;
pub mod instance;
pub mod mail_server;
pub mod metrics_server;
pub mod nothing;
pub mod now;
pub mod outcome;
pub mod parallel;
pub mod planner;
pub mod platform;
pub mod provider;
pub mod rows;
pub mod schema;
pub mod selection;
pub mod settings;
pub mod state;
pub mod table;
