// SPDX-License-Identifier: GPL-3.0-or-later
//! Being built.

pub mod imapsync;
pub mod queue;
