// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers that do what no well-behaved one does: close at every octet, refuse, throttle, forget, lie. The program
//! runs between two of them; a run by correct servers follows. Nothing is ever lost or doubled, and everything is
//! where it belongs in the end.
//!
//! [`server`] and [`session`] are the server, [`model`] its mailboxes, [`fault`] what can be wrong with it, [`world`] a
//! task between two of them. The tests: [`another_mailbox`], [`clones`], [`cuts`], [`denied`], [`flights`], [`folders`],
//! [`foreign_ledger`], [`incomplete`], [`killed`], [`looks`], [`moved`], [`namespaces`], [`narrowed`], [`obstructed`],
//! [`other_names`], [`promised`], [`renamed`], [`resumed`], [`stubborn`], [`table`], [`turns`], [`varying`].

mod another_mailbox;
mod answer;
mod backups;
mod clones;
mod command;
mod cuts;
mod denied;
mod fault;
mod flights;
mod folders;
mod foreign_ledger;
mod incomplete;
mod killed;
mod looks;
mod model;
mod moved;
mod namespaces;
mod narrowed;
mod obstructed;
mod other_names;
mod promised;
mod renamed;
mod resumed;
mod rivals;
mod server;
mod session;
mod stubborn;
mod table;
mod turns;
mod varying;
mod world;

pub(crate) use fault::{Act, Faults, Rule};
pub(crate) use model::{Model, Stored};
pub(crate) use server::Server;
