// SPDX-License-Identifier: GPL-3.0-or-later
//! How the last run ended, as a key that the page translates.

use ns8_imapsync::task::report::Report;
use ns8_imapsync::task::status::Status;
use ns8_imapsync::task::{Store, TaskName};

/// The report of the run that a status is about; a run of an older version leaves a status only.
pub(crate) fn report(store: &Store, name: &TaskName, status: Option<Status>) -> Option<Report> {
    let status = status?;
    store
        .report(name)
        .filter(|report| report.started == status.started && report.exit_code == status.exit_code)
}

/// `ok`, `stopped`, or what went wrong; `None` before the first run.
pub(crate) fn of_last_run(store: &Store, name: &TaskName) -> Option<String> {
    let status = store.status(name)?;
    let told = report(store, name, Some(status)).and_then(|report| report.error);
    Some(told.unwrap_or_else(|| of_exit_code(status.exit_code).to_owned()))
}

/// What the exit codes of runs say to people (contract section 5).
fn of_exit_code(code: i32) -> &'static str {
    match code {
        0 => "ok",
        6 | 143 => "stopped",
        10 | 101 => "Check_hostname_or_tcp_port",
        102 => "local_server_unreachable",
        12 => "SSL_encryption_error",
        16 | 161 => "bad_user_credentials",
        162 => "local_user_unknown",
        113 => "over_quota",
        114 => "append_failed",
        115 => "fetch_failed",
        116 => "create_folder_failed",
        117 => "select_folder_failed",
        118 => "transfer_limit",
        119 => "virus_found",
        _ => "errors_during_run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_have_keys() {
        for (code, key) in [
            (0, "ok"),
            (143, "stopped"),
            (161, "bad_user_credentials"),
            (111, "errors_during_run"),
            (255, "errors_during_run"),
        ] {
            assert_eq!(of_exit_code(code), key);
        }
    }
}
