// SPDX-License-Identifier: GPL-3.0-or-later
//! The multi-call program.

use std::ffi::OsString;
use std::process::ExitCode;

mod syncctl;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    syncctl::run(&args)
}
