// SPDX-License-Identifier: GPL-3.0-or-later
//! The multi-call program.

fn main() {}
