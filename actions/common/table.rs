// SPDX-License-Identifier: GPL-3.0-or-later
//! A table as spreadsheets and people write it: bytes of any usual encoding, cut into rows of cells.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use ns8_imapsync::secret::Zeroizing;

/// What cells may be separated by.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// Turns the bytes of a file into text: by its byte order mark, else by the zero bytes that UTF-16 puts between
/// the letters of its first line, else UTF-8, else the code page of old spreadsheets.
pub(crate) fn decode(bytes: &[u8]) -> Zeroizing<String> {
    let encoding = match bytes {
        [0, letter, ..] if *letter != 0 => UTF_16BE,
        [letter, 0, ..] if *letter != 0 => UTF_16LE,
        _ if std::str::from_utf8(bytes).is_ok() => UTF_8,
        _ => WINDOWS_1252,
    };
    let encoding = Encoding::for_bom(bytes).map_or(encoding, |(marked, _)| marked);
    let (text, _) = encoding.decode_with_bom_removal(bytes);
    Zeroizing::new(text.into_owned())
}

/// The rows of a text. The first one names the columns, `known` of which decide what separates cells; a line
/// `sep=;` before it decides as well. Rows without any content are left out.
///
/// A row is a line: no field of a task may hold a line break, so a quote that is not closed on its line encloses
/// nothing, and a password that begins with one does not swallow the rows that follow.
pub(crate) fn rows(text: &str, known: impl Fn(&str) -> bool) -> Vec<Vec<Zeroizing<String>>> {
    // Some programs end a text as DOS did.
    let (announced, text) = announced(text.trim_end_matches('\u{1a}'));
    let says_something =
        |line: &&str| line.contains(|c: char| !SEPARATORS.contains(&c) && c != '"' && !c.is_whitespace());
    let mut lines = text.split(['\r', '\n']).filter(says_something).peekable();
    let head = lines.peek().copied().unwrap_or_default();
    let separator = announced.unwrap_or_else(|| separator(head, known));
    lines.map(|line| cells(line, separator)).collect()
}

/// Spreadsheets are told the separator by a first line `sep=;`.
fn announced(text: &str) -> (Option<char>, &str) {
    let (line, rest) = text.split_once(['\r', '\n']).unwrap_or((text, ""));
    let line = line.trim_start_matches('"');
    let told = line.get(..4).filter(|word| word.eq_ignore_ascii_case("sep="));
    match told.and_then(|_| line.chars().nth(4)) {
        Some(separator) if SEPARATORS.contains(&separator) => (Some(separator), rest),
        _ => (None, text),
    }
}

/// What cuts the first line into the most names that are known.
fn separator(head: &str, known: impl Fn(&str) -> bool) -> char {
    let mut best = (0, ',');
    for separator in SEPARATORS {
        let names = cells(head, separator);
        let count = names.iter().filter(|name| known(name)).count();
        if count > best.0 {
            best = (count, separator);
        }
    }
    best.1
}

fn cells(line: &str, separator: char) -> Vec<Zeroizing<String>> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, after) = quoted(rest, separator).unwrap_or_else(|| plain(rest, separator));
        cells.push(cell);
        match after.strip_prefix(separator) {
            Some(after) => rest = after,
            None => return cells,
        }
    }
}

/// A cell as it stands, and what follows it.
fn plain(text: &str, separator: char) -> (Zeroizing<String>, &str) {
    let end = text.find(separator).unwrap_or(text.len());
    (Zeroizing::new(text[..end].to_owned()), &text[end..])
}

/// A cell in quotes, whose quotes are doubled inside, and what follows it; `None` when it is none: a quote that
/// nothing closes, or that is closed in the middle of a cell, is a quote.
fn quoted(text: &str, separator: char) -> Option<(Zeroizing<String>, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut from = 0;
    loop {
        let close = from + inside[from..].find('"')?;
        let after = &inside[close + 1..];
        if after.starts_with('"') {
            from = close + 2;
        } else if after.is_empty() || after.starts_with(separator) {
            return Some((Zeroizing::new(inside[..close].replace("\"\"", "\"")), after));
        } else {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let known = |name: &str| ["user", "password", "host"].contains(&name);
        rows(&decode(bytes), known)
            .into_iter()
            .map(|row| row.into_iter().map(|cell| (*cell).clone()).collect())
            .collect()
    }

    fn wide(text: &str, big_endian: bool) -> Vec<u8> {
        let bytes = |unit: u16| {
            if big_endian {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_usual_encoding_is_read() {
        let text = "user\tpassword\r\nu1\tpä§€😀\r\n";
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            wide(text, false),
            wide(text, true),
            wide(&marked, false),
            wide(&marked, true),
        ] {
            assert_eq!(read(&bytes)[1], ["u1", "pä§€😀"]);
        }
        assert_eq!(read(b"user,password\nu1,p\xe4\x80\n")[1], ["u1", "pä€"]);
    }

    #[test]
    fn the_separator_is_announced_or_seen_in_the_names() {
        for text in [
            "user,password\nu1,p;w",
            "user;password\nu1;p,w",
            "\"user\"\t\"password\"\ru1\tp|w\r",
            "sep=|\r\nuser|password\r\nu1|p;w",
            "\"sep=;\"\nuser;password\nu1;p,w",
            "sep=;;\n\nuser;password;\n;;\nu1;pw;",
            "user|password\n\r\n | \nu1|pw\n",
        ] {
            let rows = read(text.as_bytes());
            assert_eq!((rows.len(), rows[1][0].as_str()), (2, "u1"), "{text:?}: {rows:?}");
        }
    }

    #[test]
    fn quotes_enclose_cells_or_are_part_of_them() {
        let head = "user,password,host\n";
        for (line, meant) in [
            ("u1,\"p,w\"\"\",h", "p,w\""),
            ("u1,\"pw,h", "\"pw"),
            ("u1,p\"w,h", "p\"w"),
            ("u1,\"p\"w,h", "\"p\"w"),
            ("u1,\"\"\"pw\",h", "\"pw"),
            ("u1,\"\",h", ""),
            ("u1,\",h", "\""),
            ("u1, \"pw\" ,h", " \"pw\" "),
        ] {
            for following in ["u2,\"pw,h", "u2,pw\",h", "u2,\"pw\",h", "\"u2\",pw,\"h\""] {
                let rows = read(format!("{head}{line}\n{following}\n").as_bytes());
                assert_eq!(rows.len(), 3, "{line} {following}: {rows:?}");
                assert_eq!(rows[1], ["u1", meant, "h"]);
                assert_eq!(rows[2].len(), 3);
            }
        }
    }

    #[test]
    fn a_line_break_in_quotes_ends_the_row() {
        let rows = read(b"user,password,host\nu1,\"one\r\ntwo\",h\nu2,pw,h");
        assert_eq!(rows[1], ["u1", "\"one"]);
        assert_eq!(rows[3], ["u2", "pw", "h"]);
    }
}
