// SPDX-License-Identifier: GPL-3.0-or-later
//! What `--help` and the manual page teach in addition to the options: examples, exit codes, files.

use std::fmt::Write as _;

use ns8_imapsync::sync::exit_code::Exit;

const SYNCCTL: &str = "\
A task is named by its files in the folder of the tasks: <localuser>_<task_id>. The program runs inside the container of \
the instance; `runagent -m imapsync1` opens a shell in which podman reaches it.

Examples:
  Run a task now and watch it:
      podman exec -ti imapsync syncctl start ann_a1b2c3
  See what that would do, and do nothing:
      podman exec imapsync syncctl start --dry-run ann_a1b2c3
  Write what is said to the servers and heard, without mail and secrets, to NAME.trace:
      podman exec imapsync syncctl start --debug ann_a1b2c3
  Stop it, and wait until it has ended:
      podman exec imapsync syncctl stop ann_a1b2c3
  Compare both sides, every byte; exit code 0 when they agree:
      podman exec imapsync syncctl verify --deep ann_a1b2c3
  Test both logins:
      podman exec imapsync syncctl validation ann_a1b2c3
  See which runs failed today:
      journalctl -p err -t imapsync --since today

Exit codes:
";

const SYNCCTL_FILES: &str = "
Files, in the folder of the tasks (NAME is the task):
  NAME.env, NAME.pwd      the task and its password
  NAME.json               what else belongs to it, such as an accepted certificate
  NAME.log                the last run, line by line
  NAME.status             when it started and its exit code
  NAME.report             what it did, for programs
  NAME.trace              with --debug or SYNC_DEBUG: commands and responses
  .ledger/USER.db         what was brought into the mailbox of USER, by all tasks
  .sources/               servers and how to sign in there

Environment:
  IMAPSYNC_DIR            the folder of the tasks; /etc/imapsync where it is not set
  MAIL_HOST, MAIL_PORT    the local mail server; port 143 where none is set
  SYNC_ENGINE             auto, native or imapsync
  SYNC_DEBUG              whether every run writes a trace
  MAX_CONCURRENT_SYNCS    how many runs go on at once";

const IMPORT: &str = "

Examples:
  Test every row, and store nothing:
      runagent -m imapsync1 import-csv-tasks --check < users.csv
  Create the tasks that are not there yet:
      runagent -m imapsync1 import-csv-tasks < users.csv
  Change those that are there as well; an empty password leaves the stored one:
      runagent -m imapsync1 import-csv-tasks --update < users.csv

Exit codes:
  0   every row is fine
  1   at least one row was refused, or nothing could be read; the reason is told row by row
  2   the options are wrong";

const RUN: &str = "\
Examples:
      runagent -m imapsync1 run-imapsync start ann_a1b2c3
      runagent -m imapsync1 run-imapsync stop ann_a1b2c3";

const EXPAND: &str = "\
The service does this when it starts. Files of the administrator, *.custom, are left alone.

Example:
      runagent -m imapsync1 expand-cron";

const REVEAL: &str = "\
The service does this when it starts; the password goes into imapsync/vmail.pwd and nowhere else.

Example, when the mail module's password has changed:
      runagent -m imapsync1 reveal-master-secret --wait=30";

/// What a program teaches, if anything.
pub(crate) fn of(program: &str) -> Option<String> {
    match program {
        "syncctl" => Some(syncctl()),
        "import-csv-tasks" => Some(IMPORT.to_owned()),
        "run-imapsync" => Some(RUN.to_owned()),
        "expand-cron" => Some(EXPAND.to_owned()),
        "reveal-master-secret" => Some(REVEAL.to_owned()),
        _ => None,
    }
}

fn syncctl() -> String {
    let mut text = SYNCCTL.to_owned();
    for exit in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<5} {}", exit.code(), exit.meaning());
    }
    text.push_str(SYNCCTL_FILES);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_of_a_run_is_explained() {
        let text = of("syncctl").unwrap();
        for exit in Exit::ALL {
            let line = format!("  {:<5} {}", exit.code(), exit.meaning());
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }
}
