// SPDX-License-Identifier: GPL-3.0-or-later
//! Stock imapsync as an engine: its command line, and what its log says.

pub mod command;
pub mod log;
