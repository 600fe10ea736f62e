// SPDX-License-Identifier: GPL-3.0-or-later
//! The program; [`ns8_imapsync_actions`] is its table of applets.

use std::process::ExitCode;

fn main() -> ExitCode {
    ns8_imapsync_actions::main()
}
