// SPDX-License-Identifier: GPL-3.0-or-later
//! The rows of a CSV file of tasks.

use anyhow::{Context as _, bail};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use serde_json::{Map, Value};

/// The fields of one row, as import-tasks takes them.
type Row = Map<String, Value>;

/// The columns that have to be there, in any order.
pub const REQUIRED: [&str; 6] = [
    "localusername",
    "remoteusername",
    "remotepassword",
    "remotehostname",
    "remoteport",
    "security",
];
/// Those that may be there: optional fields of create-task.
pub const OPTIONAL: [&str; 9] = [
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

/// One result per row; a row that is no row is that row's error.
pub fn rows(text: &[u8]) -> anyhow::Result<Vec<Result<Row>>> {
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
            ErrorKey::Invalid("row"),
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
            return Err(Refusal::new(name.to_owned(), ErrorKey::Invalid("row"), "it is not UTF-8").into());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<Result<Row>> {
        rows(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_example_is_a_file_that_can_be_imported() {
        let example = parsed(include_str!("../../examples/users.csv"));
        assert!(example.len() > 1 && example.iter().all(std::result::Result::is_ok));
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

    /// A cell as a spreadsheet writes it.
    fn cell(text: &str) -> String {
        format!("\"{}\"", text.replace('"', "\"\""))
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_errors(text in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(any::<u8>(), 0..200)
                .prop_map(|bytes| [REQUIRED.join(",").as_bytes(), b"\n", &bytes].concat()),
        ]) {
            let _ = rows(&text);
        }

        #[test]
        fn what_is_written_is_what_is_read(
            cells in proptest::collection::vec(("\\PC{0,12}", "[^\\p{Cc}]{0,12}", 1u16..), 1..5),
            semicolons in any::<bool>(),
        ) {
            let comma = if semicolons { ";" } else { "," };
            let mut text = REQUIRED.join(comma);
            for (user, password, port) in &cells {
                let line = [cell("u1"), cell(user), cell(password), cell("h"), port.to_string(), cell("tls")];
                text += &format!("\r\n{}", line.join(comma));
            }
            let read = parsed(&text);
            prop_assert_eq!(read.len(), cells.len());
            for (row, (user, password, port)) in read.iter().zip(&cells) {
                let row = row.as_ref().unwrap();
                prop_assert_eq!(&row["remoteusername"], user.trim());
                prop_assert_eq!(&row["remotepassword"], password);
                prop_assert_eq!(&row["remoteport"], &Value::from(*port));
            }
        }
    }
}
