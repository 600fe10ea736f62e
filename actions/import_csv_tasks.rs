// SPDX-License-Identifier: GPL-3.0-or-later
//! Imports the tasks of a CSV file: import-tasks for the shell.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use ns8_imapsync::error::{Error, Key, Refusal, Result};
use ns8_imapsync::secret::{ROOM, Zeroizing};
use serde_json::Value;

use crate::common::frame;
use crate::common::import::{self, Mode, Outcome, Row, Summary, Verdict};

const LARGEST_INPUT: u64 = 32 * 1024 * 1024;

/// The columns that have to be there, in any order.
const REQUIRED: [&str; 6] = [
    "localusername",
    "remoteusername",
    "remotepassword",
    "remotehostname",
    "remoteport",
    "security",
];
/// Those that may be there: optional fields of create-task.
const OPTIONAL: [&str; 9] = [
    "task_id",
    "delete_local",
    "delete_remote",
    "delete_remote_older",
    "exclude",
    "cron",
    "foldersynchronization",
    "sieve_enabled",
    "start",
];

/// What becomes of rows whose task exists, and whether anything is stored.
pub fn arguments(command: Command) -> Command {
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
        .after_help(format!(
            "Reads CSV from stdin. Its first line names the columns, in any order: {}. Further columns are \
             possible: {}.",
            REQUIRED.join(", "),
            OPTIONAL.join(", ")
        ))
}

/// Imports; exit code 1 if a row was refused.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let mode = match (arguments.get_flag("check"), arguments.get_flag("update")) {
        (true, _) => Mode::Check,
        (false, true) => Mode::Update,
        (false, false) => Mode::Skip,
    };
    frame::helper(|context| {
        let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
        io::stdin()
            .take(LARGEST_INPUT)
            .read_to_end(&mut text)
            .context("cannot read the rows")?;
        let rows = rows(&text)?;
        let accounts: Vec<String> = rows.iter().map(account).collect();
        let summary = import::import(context, mode, rows)?;
        io::stdout()
            .write_all(report(&summary, &accounts).as_bytes())
            .context("cannot write the report")?;
        match summary.refused {
            0 => Ok(()),
            refused => Err(anyhow!("{refused} of {} rows were refused", summary.results.len()).into()),
        }
    })
}

/// One result per row; a row that is no row is that row's error.
fn rows(text: &[u8]) -> anyhow::Result<Vec<Result<Row>>> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter(text))
        .from_reader(text);
    let columns: Vec<String> = reader
        .headers()
        .context("the first line is no CSV")?
        .iter()
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for (index, column) in columns.iter().enumerate() {
        if !REQUIRED.contains(&column.as_str()) && !OPTIONAL.contains(&column.as_str()) {
            bail!("there is no column {column:?}; --help tells which there are");
        }
        if columns[..index].contains(column) {
            bail!("the column {column} is there twice");
        }
    }
    if let Some(missing) = REQUIRED
        .iter()
        .find(|name| !columns.iter().any(|column| column == *name))
    {
        bail!("the column {missing} is missing; the first line of the file names the columns");
    }
    Ok(reader
        .byte_records()
        .map(|record| row(&columns, &record.context("no CSV")?))
        .collect())
}

/// Spreadsheets of half the world write semicolons.
fn delimiter(text: &[u8]) -> u8 {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match first.contains(&b',') {
        false if first.contains(&b';') => b';',
        _ => b',',
    }
}

fn row(columns: &[String], record: &csv::ByteRecord) -> Result<Row> {
    if record.len() != columns.len() {
        return Err(Refusal::new(
            "(root)",
            Key::Invalid("row"),
            format!("it has {} fields instead of {}", record.len(), columns.len()),
        )
        .into());
    }
    let mut row = Row::new();
    for (column, field) in columns.iter().zip(record) {
        let name = match column.as_str() {
            "localusername" => "localuser",
            other => other,
        };
        let Ok(text) = std::str::from_utf8(field) else {
            return Err(Refusal::new(name.to_owned(), Key::Invalid("row"), "it is not UTF-8").into());
        };
        let value = match name {
            // Blanks may be part of it.
            "remotepassword" => Value::from(text),
            _ => typed(name, text.trim()),
        };
        // An empty cell of an optional column leaves the field out.
        if !(OPTIONAL.contains(&name) && value == "") {
            row.insert(name.to_owned(), value);
        }
    }
    Ok(row)
}

/// What is no number or truth value stays a text, which the import refuses for its type.
fn typed(name: &str, text: &str) -> Value {
    let parsed = match name {
        "remoteport" | "delete_remote_older" => text.parse::<i64>().ok().map(Value::from),
        "delete_local" | "delete_remote" | "sieve_enabled" | "start" => {
            match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Some(Value::Bool(true)),
                "false" | "no" | "0" => Some(Value::Bool(false)),
                _ => None,
            }
        }
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
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
            Verdict::Valid => ("valid", String::new()),
            Verdict::Created => ("created", format!("  as {}", outcome.task_id)),
            Verdict::Updated => ("updated", format!("  as {}", outcome.task_id)),
            Verdict::Skipped => ("skipped", format!("  exists as {}", outcome.task_id)),
            Verdict::Refused => ("REFUSED", format!("  {}", why.join(", "))),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Result<Row>> {
        rows(text.as_bytes()).unwrap()
    }

    #[test]
    fn columns_come_in_any_order_behind_a_mark_of_byte_order() {
        let text = "\u{feff}security,remotepassword,RemotePort,localusername , remoteusername,remotehostname\r\n\
                    tls,  p \"\"w , 143 , u1 , r1 , imap.foo.com \r\nssl,\"a,\"\"b\",993,u2,r2,h\r\n";
        let rows = parsed(text);
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first["localuser"], "u1");
        assert_eq!(first["remotepassword"], "  p \"\"w ");
        assert_eq!(first["remoteport"], 143);
        assert_eq!(first["remotehostname"], "imap.foo.com");
        assert_eq!(rows[1].as_ref().unwrap()["remotepassword"], "a,\"b");
    }

    #[test]
    fn a_short_row_is_that_rows_error() {
        let header = REQUIRED.join(",");
        let rows = parsed(&format!(
            "{header}\nu1,r1\nu2,r2,pw,h,143,tls\nu3,r3,pw,h,143,tls,more\n"
        ));
        assert!(rows[0].is_err() && rows[1].is_ok() && rows[2].is_err());
    }

    #[test]
    fn a_file_without_a_column_is_no_file_of_ours() {
        for (header, word) in [
            ("localusername,remoteusername", "remotepassword"),
            (&format!("{},colour", REQUIRED.join(",")), "colour"),
            (&format!("{},security", REQUIRED.join(",")), "twice"),
            ("", "localusername"),
        ] {
            let error = rows(header.as_bytes()).err().unwrap().to_string();
            assert!(error.contains(word), "{header}: {error}");
        }
    }

    #[test]
    fn optional_columns_have_their_types_and_may_be_empty() {
        let header = format!("{};delete_remote;cron", REQUIRED.join(";"));
        let rows = parsed(&format!("{header}\nu1;r1;pw;h;x;tls;Yes;\n"));
        let row = rows[0].as_ref().unwrap();
        assert_eq!(row["delete_remote"], true);
        assert_eq!(row["remoteport"], "x");
        assert_eq!(row.get("cron"), None);
    }
}
