// SPDX-License-Identifier: GPL-3.0-or-later
//! Imports the tasks of a CSV file: import-tasks for the shell.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Arg, ArgAction, ArgMatches, Command};
use ns8_imapsync::error::{Error, Result};
use ns8_imapsync::secret::{ROOM, Zeroizing};
use serde_json::Value;

use crate::common::batch;
use crate::common::fields::columns::headings;
use crate::common::frame;
use crate::common::import::{self, Mode, Options, Outcome, Row, RowResult, Summary};
use crate::common::rows::rows;

const LARGEST_INPUT: u64 = 32 * 1024 * 1024;

/// What becomes of rows whose task exists, and whether anything is stored.
pub(crate) fn arguments(command: Command) -> Command {
    let flag = |short, name, help| {
        Arg::new(name)
            .short(short)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
    };
    command
        .arg(flag('c', "check", "Tests every row and stores nothing"))
        .arg(flag(
            'u',
            "update",
            "Edits the tasks that exist; without it they are skipped",
        ))
        .arg(
            Arg::new("batch")
                .short('b')
                .long("batch")
                .value_name("NAME")
                .help("Puts the tasks of all rows into this batch, those that are skipped too"),
        )
        .after_help(format!(
            "Reads CSV from stdin. Its first line names the columns, in any order: {}. Further columns are \
             possible: {}.",
            headings(true).join(", "),
            headings(false).join(", ")
        ))
}

/// Imports; exit code 1 if a row was refused.
pub(crate) fn run(arguments: &ArgMatches) -> ExitCode {
    let mode = match (arguments.get_flag("check"), arguments.get_flag("update")) {
        (true, false) => Mode::Check,
        (true, true) => Mode::CheckUpdate,
        (false, true) => Mode::Update,
        (false, false) => Mode::Skip,
    };
    frame::helper(|context| {
        let batch = arguments.get_one::<String>("batch");
        let options = Options {
            keep: false,
            batch: batch.map(|name| batch::named(name)).transpose()?,
        };
        let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
        io::stdin()
            .take(LARGEST_INPUT + 1)
            .read_to_end(&mut text)
            .context("cannot read the rows")?;
        if text.len() as u64 > LARGEST_INPUT {
            let limit = LARGEST_INPUT >> 20;
            return Err(anyhow!("the file is larger than {limit} MiB: import it in several parts").into());
        }
        let rows = rows(&text)?;
        let accounts: Vec<String> = rows.iter().map(account).collect();
        let summary = import::import(context, mode, &options, rows)?;
        io::stdout()
            .write_all(report(&summary, &accounts).as_bytes())
            .context("cannot write the report")?;
        match summary.refused {
            0 => Ok(()),
            refused => Err(anyhow!("{refused} of {} rows were refused", summary.results.len()).into()),
        }
    })
}

/// `john <- j.doe@imap.foo.com`.
fn account(row: &Result<Row>) -> String {
    let text = |row: &Row, name: &str| {
        row.get(name)
            .and_then(Value::as_str)
            .unwrap_or("?")
            .escape_debug()
            .to_string()
    };
    match row {
        Ok(row) => format!(
            "{} <- {} at {}",
            text(row, "localuser"),
            text(row, "remoteusername"),
            text(row, "remotehostname")
        ),
        Err(Error::Refused(refusals)) => refusals.iter().map(|refusal| refusal.advice.clone()).collect(),
        Err(Error::Failed(cause)) => format!("{cause:#}"),
    }
}

fn report(summary: &Summary, accounts: &[String]) -> String {
    let line = |(outcome, account): (&Outcome, &String)| {
        let why: Vec<String> = outcome
            .errors
            .iter()
            .map(|error| format!("{}: {}", error.parameter, error.error))
            .collect();
        let (word, why) = match outcome.result {
            RowResult::Valid => ("valid", String::new()),
            RowResult::Created => ("created", format!("  as {}", outcome.task_id)),
            RowResult::Updated => ("updated", format!("  as {}", outcome.task_id)),
            RowResult::Skipped => ("skipped", format!("  exists as {}", outcome.task_id)),
            RowResult::Refused => ("REFUSED", format!("  {}", why.join(", "))),
        };
        format!("row {:>4}  {word:<8} {account}{why}\n", outcome.row)
    };
    let lines: String = summary.results.iter().zip(accounts).map(line).collect();
    let counts: Vec<String> = [
        ("valid", summary.valid),
        ("created", summary.created),
        ("updated", summary.updated),
        ("skipped", summary.skipped),
        ("refused", summary.refused),
    ]
    .iter()
    .filter(|(_, count)| *count > 0)
    .map(|(word, count)| format!("{count} {word}"))
    .collect();
    match counts.is_empty() {
        true => "There are no rows.\n".to_owned(),
        false => format!("{lines}{}\n", counts.join(", ")),
    }
}
