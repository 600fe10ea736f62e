// SPDX-License-Identifier: GPL-3.0-or-later
//! A node in a box.

fn main() {}
