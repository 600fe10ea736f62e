// SPDX-License-Identifier: GPL-3.0-or-later
//! The rows of a CSV file of tasks.

use anyhow::{bail, ensure};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::secret::Zeroizing;
use ns8_imapsync::text::printable;
use serde_json::{Map, Value};

use super::fields::columns::{COLUMNS, Column, FALSE_WORDS, Kind, Need, SECURITY_WORDS, TRUE_WORDS};
use super::table;

/// The fields of one row, as import-tasks takes them.
type Row = Map<String, Value>;

/// One result per row; a row that is no row is that row's error. Rows of nothing but separators are no rows.
pub(crate) fn rows(bytes: &[u8]) -> anyhow::Result<Vec<Result<Row>>> {
    let text = table::decode(bytes);
    // No encoding of text has these: it is UTF-16 that was cut off, or no text at all.
    ensure!(
        !text.contains('\0'),
        "the file is not text: save it as CSV or as Unicode text"
    );
    let mut rows = table::rows(&text, |heading| column(heading).is_some()).into_iter();
    let columns = columns(&rows.next().unwrap_or_default())?;
    Ok(rows.map(|cells| row(&columns, &cells)).collect())
}

/// The columns that the first row names; an unnamed one, such as the numbers of the rows, is `None`.
fn columns(head: &[Zeroizing<String>]) -> anyhow::Result<Vec<Option<&'static Column>>> {
    let mut columns: Vec<Option<&Column>> = Vec::new();
    let has = |columns: &[Option<&Column>], name: &str| columns.iter().flatten().any(|one| one.name == name);
    for heading in without_end(head) {
        let Some(found) = column(heading) else {
            ensure!(
                heading.trim().is_empty(),
                "unknown column [{}]: --help lists those there are",
                printable(heading.trim())
            );
            columns.push(None);
            continue;
        };
        ensure!(
            !has(&columns, found.name),
            "the column {} is there twice",
            found.heading
        );
        columns.push(Some(found));
    }
    let is_needed = |column: &&Column| match column.need {
        Need::Required => true,
        Need::UnlessSource => !has(&columns, "source"),
        Need::Optional => false,
    };
    let mut needed = COLUMNS.iter().filter(is_needed);
    match needed.find(|column| !has(&columns, column.name)) {
        Some(missing) => bail!(
            "the column {} is missing; the first line of the file names the columns",
            missing.heading
        ),
        None => Ok(columns),
    }
}

/// The column of a heading, however it is spelled.
fn column(heading: &str) -> Option<&'static Column> {
    let heading = letters(heading);
    let own = COLUMNS.iter().find(|column| letters(column.heading) == heading);
    own.or_else(|| COLUMNS.iter().find(|column| is_among(column.others, &heading)))
}

/// Letters and digits alone, in small letters.
fn letters(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

fn is_among(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|one| one == word)
}

/// Spreadsheets end every line with the separators of columns that hold nothing.
fn without_end(cells: &[Zeroizing<String>]) -> &[Zeroizing<String>] {
    let end = cells.iter().rposition(|cell| !cell.trim().is_empty());
    &cells[..end.map_or(0, |last| last + 1)]
}

fn row(columns: &[Option<&'static Column>], cells: &[Zeroizing<String>]) -> Result<Row> {
    let invalid = |advice: String| Refusal::new("(root)", ErrorKey::Invalid("row"), advice);
    if without_end(cells).len() > columns.len() {
        let advice = format!("it has {} fields instead of {}", cells.len(), columns.len());
        return Err(invalid(advice).into());
    }
    let mut row = Row::new();
    for (index, column) in columns.iter().enumerate() {
        let Some(column) = *column else { continue };
        let optional = column.need == Need::Optional;
        let text = match cells.get(index) {
            Some(cell) => cell.as_str(),
            None if optional => "",
            None => {
                let advice = format!("it has {} fields, and none for {}", cells.len(), column.heading);
                return Err(invalid(advice).into());
            }
        };
        let value = typed(column.kind, text);
        // An empty cell of an optional column leaves the field out.
        if !(optional && value == "") {
            row.insert(column.name.to_owned(), value);
        }
    }
    if row.contains_key("source") {
        let of_source = COLUMNS.iter().filter(|column| column.need == Need::UnlessSource);
        for column in of_source {
            if row.get(column.name).is_some_and(|value| value == "") {
                row.remove(column.name);
            }
        }
    }
    Ok(row)
}

/// What is no number or truth value stays a text, which the import refuses for its type.
fn typed(kind: Kind, text: &str) -> Value {
    if kind == Kind::Secret {
        return Value::from(text);
    }
    let text = text.trim();
    let word = text.to_ascii_lowercase();
    let parsed = match kind {
        Kind::Number => text.parse::<i64>().ok().map(Value::from),
        Kind::Flag if is_among(TRUE_WORDS, &word) => Some(Value::Bool(true)),
        Kind::Flag if is_among(FALSE_WORDS, &word) => Some(Value::Bool(false)),
        Kind::Security => {
            let letters = letters(&word);
            let known = SECURITY_WORDS.iter().find(|(_, words)| is_among(words, &letters));
            Some(Value::from(known.map_or(word, |(name, _)| (*name).to_owned())))
        }
        Kind::Word => Some(Value::from(word)),
        Kind::Flag | Kind::Text | Kind::Secret => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::common::fields::columns::headings;

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
        let mixed = format!("{},source\n", headings(true).join(","));
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
        let header = headings(true).join(",");
        let rows = parsed(&format!(
            "{header}\nu1,r1\nu2,r2,pw,h,143,tls\nu3,r3,pw,h,143,tls,more\n"
        ));
        assert!(rows[0].is_err() && rows[1].is_ok() && rows[2].is_err());
    }

    #[test]
    fn a_file_without_a_column_is_no_file_of_ours() {
        for (header, word) in [
            ("localusername,remoteusername", "remotepassword"),
            (&format!("{},colour", headings(true).join(",")), "colour"),
            (&format!("{},security", headings(true).join(",")), "twice"),
            ("", "localusername"),
        ] {
            let error = rows(header.as_bytes()).err().unwrap().to_string();
            assert!(error.contains(word), "{header}: {error}");
        }
    }

    #[test]
    fn what_spreadsheets_add_changes_nothing() {
        let plain = format!("{}\nu1,r1,pw,h,143,tls\n", headings(true).join(","));
        let meant = parsed(&plain)[0].as_ref().unwrap().clone();
        for text in [
            plain.replace(',', ";").replace('\n', ";;\r\n"),
            format!("sep=\t\r\n{}", plain.replace(',', "\t")),
            format!("{plain},,,,,\n;;\n \n"),
            format!("{plain}\u{1a}"),
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
    fn values_go_by_their_names_in_other_languages() {
        let header = format!("{};sieve_enabled;delete_local", headings(true).join(";"));
        let rows = parsed(&format!(
            "{header}\nu1;r1;pw;h;993;SSL/TLS;Sì;nein\nu2;r2;pw;h;143;keine;oui;\n"
        ));
        let row = rows[0].as_ref().unwrap();
        assert_eq!(
            (&row["security"], &row["sieve_enabled"]),
            (&"ssl".into(), &true.into())
        );
        assert_eq!(row["delete_local"], false);
        assert_eq!(rows[1].as_ref().unwrap()["security"], "");
    }

    #[test]
    fn optional_columns_have_their_types_and_may_be_empty() {
        let header = format!("{};delete_remote;cron", headings(true).join(";"));
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
                .prop_map(|bytes| [headings(true).join(",").as_bytes(), b"\n", &bytes].concat()),
        ]) {
            let _ = rows(&text);
        }

        #[test]
        fn what_is_written_is_what_is_read(
            cells in proptest::collection::vec(("\\PC{0,12}", "[^\\p{Cc}]{0,12}", 1u16..), 1..5),
            semicolons in any::<bool>(),
        ) {
            let comma = if semicolons { ";" } else { "," };
            let mut text = headings(true).join(comma);
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
