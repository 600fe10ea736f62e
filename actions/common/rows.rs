// SPDX-License-Identifier: GPL-3.0-or-later
//! The rows of a CSV file of tasks.

use anyhow::{bail, ensure};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::secret::Zeroizing;
use serde_json::{Map, Value};

use super::table;

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
/// Those of them that a source stands for.
const OF_SOURCE: [&str; 4] = ["remotepassword", "remotehostname", "remoteport", "security"];
/// Those that may be there: optional fields of create-task.
pub const OPTIONAL: [&str; 10] = [
    "source",
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

/// What other programs call the columns, in letters and digits.
const OTHER_HEADINGS: [(&str, &str); 21] = [
    ("localuser", "localusername"),
    ("user", "localusername"),
    ("mailbox", "localusername"),
    ("destination", "localusername"),
    ("remoteuser", "remoteusername"),
    ("login", "remoteusername"),
    ("username", "remoteusername"),
    ("email", "remoteusername"),
    ("password", "remotepassword"),
    ("pass", "remotepassword"),
    ("pwd", "remotepassword"),
    ("remotehost", "remotehostname"),
    ("host", "remotehostname"),
    ("hostname", "remotehostname"),
    ("server", "remotehostname"),
    ("imapserver", "remotehostname"),
    ("port", "remoteport"),
    ("encryption", "security"),
    ("folders", "foldersynchronization"),
    ("schedule", "cron"),
    ("sieve", "sieve_enabled"),
];

/// One result per row; a row that is no row is that row's error. Rows of nothing but separators are no rows.
pub fn rows(bytes: &[u8]) -> anyhow::Result<Vec<Result<Row>>> {
    let text = table::decode(bytes);
    // No encoding of text has these: it is UTF-16 that was cut off, or no text at all.
    ensure!(
        !text.contains('\0'),
        "the file is no text: save it as CSV or as Unicode text"
    );
    let mut rows = table::rows(&text, |heading| column(heading).is_some()).into_iter();
    let columns = columns(&rows.next().unwrap_or_default())?;
    Ok(rows.map(|cells| row(&columns, &cells)).collect())
}

/// The columns that the first row names; an unnamed one, such as the numbers of the rows, is `None`.
fn columns(head: &[Zeroizing<String>]) -> anyhow::Result<Vec<Option<&'static str>>> {
    let mut columns = Vec::new();
    for heading in without_end(head) {
        let Some(name) = column(heading) else {
            ensure!(
                heading.trim().is_empty(),
                "there is no column {:?}; --help tells which there are",
                heading.trim()
            );
            columns.push(None);
            continue;
        };
        ensure!(!columns.contains(&Some(name)), "the column {name} is there twice");
        columns.push(Some(name));
    }
    let given_by_source = |name: &str| columns.contains(&Some("source")) && OF_SOURCE.contains(&name);
    let missing = REQUIRED
        .iter()
        .find(|name| !columns.contains(&Some(**name)) && !given_by_source(name));
    match missing {
        Some(missing) => {
            bail!("the column {missing} is missing; the first line of the file names the columns")
        }
        None => Ok(columns),
    }
}

/// The column of a heading, however it is spelled.
fn column(heading: &str) -> Option<&'static str> {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let heading = letters(heading);
    let own = REQUIRED
        .iter()
        .chain(&OPTIONAL)
        .find(|name| letters(name) == heading);
    own.or_else(|| {
        let (_, name) = OTHER_HEADINGS.iter().find(|(other, _)| *other == heading)?;
        Some(name)
    })
    .copied()
}

/// Spreadsheets end every line with the separators of columns that hold nothing.
fn without_end(cells: &[Zeroizing<String>]) -> &[Zeroizing<String>] {
    let end = cells.iter().rposition(|cell| !cell.trim().is_empty());
    &cells[..end.map_or(0, |last| last + 1)]
}

fn row(columns: &[Option<&'static str>], cells: &[Zeroizing<String>]) -> Result<Row> {
    let invalid = |advice: String| Refusal::new("(root)", ErrorKey::Invalid("row"), advice);
    if without_end(cells).len() > columns.len() {
        let advice = format!("it has {} fields instead of {}", cells.len(), columns.len());
        return Err(invalid(advice).into());
    }
    let mut row = Row::new();
    for (index, column) in columns.iter().enumerate() {
        let Some(column) = *column else { continue };
        let optional = OPTIONAL.contains(&column);
        let text = match cells.get(index) {
            Some(cell) => cell.as_str(),
            None if optional => "",
            None => {
                let advice = format!("it has {} fields, and none for {column}", cells.len());
                return Err(invalid(advice).into());
            }
        };
        let name = match column {
            "localusername" => "localuser",
            other => other,
        };
        let value = match name {
            // Blanks may be part of it.
            "remotepassword" => Value::from(text),
            _ => typed(name, text.trim()),
        };
        // An empty cell of an optional column leaves the field out.
        if !(optional && value == "") {
            row.insert(name.to_owned(), value);
        }
    }
    if row.contains_key("source") {
        row.retain(|name, value| *value != "" || !OF_SOURCE.contains(&name.as_str()));
    }
    Ok(row)
}

/// What is no number or truth value stays a text, which the import refuses for its type.
fn typed(name: &str, text: &str) -> Value {
    let word = text.to_ascii_lowercase();
    let parsed = match name {
        "remoteport" | "delete_remote_older" => text.parse::<i64>().ok().map(Value::from),
        "delete_local" | "delete_remote" | "sieve_enabled" | "start" => match word.as_str() {
            "true" | "yes" | "1" | "y" | "on" | "x" => Some(Value::Bool(true)),
            "false" | "no" | "0" | "n" | "off" => Some(Value::Bool(false)),
            _ => None,
        },
        "security" => Some(Value::from(match word.as_str() {
            "starttls" => "tls",
            "imaps" => "ssl",
            "none" | "no" => "",
            other => other,
        })),
        "foldersynchronization" => Some(Value::from(word)),
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
    fn a_source_stands_for_the_columns_of_the_server() {
        let rows = parsed("localusername,remoteusername,source\nu1,r1,m365\n");
        let row = rows[0].as_ref().unwrap();
        assert_eq!(
            (row["source"].as_str(), row.get("remoteport")),
            (Some("m365"), None)
        );
        let mixed = format!("{},source\n", REQUIRED.join(","));
        let rows = parsed(&format!("{mixed}u1,r1,,,,,m365\nu2,r2,pw,h,143,tls,\n"));
        assert!(!rows[0].as_ref().unwrap().contains_key("remoteport"));
        assert_eq!(rows[1].as_ref().unwrap()["remoteport"], 143);
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
    fn what_spreadsheets_add_changes_nothing() {
        let plain = format!("{}\nu1,r1,pw,h,143,tls\n", REQUIRED.join(","));
        let meant = parsed(&plain)[0].as_ref().unwrap().clone();
        for text in [
            plain.replace(',', ";").replace('\n', ";;\r\n"),
            format!("sep=\t\r\n{}", plain.replace(',', "\t")),
            format!("{plain},,,,,\n;;\n \n"),
            plain.replace("security", "security,,").replace("tls", "STARTTLS"),
            plain
                .replace("localusername", ",localusername")
                .replace("u1", "0,u1"),
            plain
                .replace("localusername", "Local user")
                .replace("remotehostname", "IMAP server"),
            plain.replace("security", "security,cron,exclude"),
        ] {
            let rows = parsed(&text);
            assert_eq!(rows.len(), 1, "{text}");
            assert_eq!(rows[0].as_ref().unwrap(), &meant, "{text}");
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
