// SPDX-License-Identifier: GPL-3.0-or-later
//! Which folders imapsync is told to leave out, by one regular expression.

use crate::imap::{Mailbox, utf7};
use crate::task::{Exclusions, FolderMode, Match, Pattern, Task};

/// Namespaces of other people's mail on the local server.
const NEVER: &str = "^Shared(/.*)?$|^Public(/.*)?$";

/// Octets of an expression; the system takes arguments of 128 KiB.
const LONGEST_EXPRESSION: usize = 100 * 1024;

/// Whether an expression that names all of these folders fits into an argument.
pub(super) fn fits(left_out: &[Mailbox]) -> bool {
    let expression: usize = left_out.iter().map(|folder| named(folder).len() + 1).sum();
    expression <= LONGEST_EXPRESSION
}

/// Whether a folder is left out in any case, as one of other people is called so.
pub(super) fn leaves_out(folder: &Mailbox) -> bool {
    let wire = folder.wire();
    [&b"Shared"[..], b"Public"].iter().any(|name| {
        let rest = wire.strip_prefix(*name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

/// The one `--exclude`: always the namespaces of others, then the task's patterns, then by name what else is not pulled. A
/// pattern that means a folder of that very name is an expression for imapsync, and may hit others: it is left away then.
pub(super) fn expression(task: &Task, selected: &[Mailbox], left_out: &[Mailbox]) -> String {
    let none = Exclusions::default();
    let exclusions = match task.folders {
        FolderMode::Exclusion => &task.exclusions,
        FolderMode::All | FolderMode::Inbox => &none,
    };
    let hits = |pattern: &str, folders: &[Mailbox]| {
        let pattern = Pattern::compile(pattern).ok();
        pattern.is_some_and(|pattern| {
            let mut folders = folders.iter();
            folders.any(|folder| pattern.matches(folder.name()) != Match::No)
        })
    };
    let patterns = exclusions.patterns().iter();
    let patterns: Vec<_> = patterns.filter(|pattern| !hits(pattern, selected)).collect();
    let is_left = |folder: &&Mailbox| {
        let mut patterns = patterns.iter().filter(|pattern| means_the_same(pattern));
        !patterns.any(|pattern| hits(pattern, std::slice::from_ref(*folder)))
    };
    let names = left_out.iter().filter(is_left).map(named);
    std::iter::once(NEVER.to_owned())
        .chain(patterns.iter().map(|pattern| on_the_wire(pattern)))
        .chain(names)
        .collect::<Vec<_>>()
        .join("|")
}

/// Whether a pattern means the same among others, on names as the server sends them: one that refers to a group by its number
/// does not, and one letter outside ASCII is several characters there.
fn means_the_same(pattern: &str) -> bool {
    let mut escaped = pattern.split('\\').skip(1);
    pattern.is_ascii()
        && !pattern.contains('&')
        && !escaped.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'g' || c == 'k'))
}

/// The expression that matches a folder's name as the server sends it, and nothing else.
fn named(folder: &Mailbox) -> String {
    let mut expression = "^".to_owned();
    for c in String::from_utf8_lossy(folder.wire()).chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            expression.push('\\');
        }
        expression.push(c);
    }
    expression + "$"
}

/// A pattern as imapsync matches it: on the name as the server sends it, in modified UTF-7 (RFC 3501,
/// 5.1.3). Its base 64 may contain a `+`, which is no quantifier there.
fn on_the_wire(pattern: &str) -> String {
    let mut rest = pattern;
    let mut wire = String::with_capacity(pattern.len());
    while let Some(start) = rest.find(|c: char| !c.is_ascii() || c == '&') {
        let (plain, tail) = rest.split_at(start);
        let end = match tail.starts_with('&') {
            true => 1,
            false => tail.find(|c: char| c.is_ascii()).unwrap_or(tail.len()),
        };
        let (special, tail) = tail.split_at(end);
        wire.push_str(plain);
        wire.push_str(&utf7::encode(special).replace('+', "\\+"));
        rest = tail;
    }
    wire + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::sample;

    #[test]
    fn patterns_match_the_name_as_the_server_sends_it() {
        for (pattern, wire) in [
            ("folder1", "folder1"),
            ("^Gelöschte Objekte$", "^Gel&APY-schte Objekte$"),
            ("R&D", "R&-D"),
            ("a+b.*", "a+b.*"),
            ("~peter/日本語", "~peter/&ZeVnLIqe-"),
            ("\u{fbe0}", "&\\+\\+A-"),
        ] {
            assert_eq!(on_the_wire(pattern), wire);
        }
    }

    #[test]
    fn what_is_not_pulled_is_excluded_by_name_and_nothing_else_is() {
        let folders = |names: &[&str]| {
            names
                .iter()
                .map(|name| Mailbox::from_name(name))
                .collect::<Vec<_>>()
        };
        let (selected, left_out) = (
            folders(&["INBOX", "Family", "Work"]),
            folders(&["[Gmail]", "Other Users/bob", "Spam/Old", "Entwürfe"]),
        );
        let task = Task {
            folders: FolderMode::Exclusion,
            exclusions: Exclusions::from_stored(",[Gmail],^Spam"),
            ..sample::task()
        };
        assert_eq!(
            expression(&task, &selected, &left_out),
            format!("{NEVER}|^Spam|^\\[Gmail\\]$|^Other\\ Users\\/bob$|^Entw\\&APw\\-rfe$")
        );
    }

    #[test]
    fn a_pattern_that_means_something_else_there_leaves_out_by_name_too() {
        for (pattern, name) in [
            ("(a)\\1", "^aa$"),
            ("Gelöschte?", "^Gel\\&APY\\-schte$"),
            ("R&D", "^R\\&\\-D$"),
        ] {
            let folder = match pattern {
                "(a)\\1" => "aa",
                "R&D" => "R&D",
                _ => "Gelöschte",
            };
            let task = Task {
                folders: FolderMode::Exclusion,
                exclusions: Exclusions::from_stored(&format!(",{pattern}")),
                ..sample::task()
            };
            let expression = expression(&task, &[], &[Mailbox::from_name(folder)]);
            assert!(expression.ends_with(&format!("|{name}")), "{expression}");
        }
    }

    #[test]
    fn names_without_end_fit_into_no_argument() {
        let folders: Vec<Mailbox> = (0..10_000)
            .map(|n| Mailbox::from_name(&format!("Other Users/{n}")))
            .collect();
        assert!(fits(&folders[..100]) && !fits(&folders));
    }
}
