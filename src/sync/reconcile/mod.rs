// SPDX-License-Identifier: GPL-3.0-or-later
//! What both sides have, and what follows from it.
//!
//! - [`connections`]: the two connections of a run, made again when one breaks. [`error`]: what concerns one folder and
//!   what ends the run. [`poison`]: messages at which connections break.
//! - [`listing`]: the folders of both sides. [`mod@prepare`]: a folder made ready to be compared; [`folder`]: a folder
//!   while it is worked on.
//! - [`compare`] ([`headers`]): what is to be copied. [`narrow`]: what of it the task leaves out.
//! - [`flags`], [`inbox`] (Sieve, `\\Seen`), [`deletions`]: what follows the copy. [`self_check`]: whether it is so.

pub mod compare;
pub mod connections;
pub mod deletions;
pub mod error;
pub mod flags;
pub mod folder;
pub mod headers;
pub mod inbox;
pub mod listing;
pub mod narrow;
pub mod poison;
pub mod prepare;
pub mod self_check;
