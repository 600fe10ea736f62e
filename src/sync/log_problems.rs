// SPDX-License-Identifier: GPL-3.0-or-later
//! Which lines of a log report a problem, whichever program wrote them.

use crate::sync::event::log;
use crate::sync::exit_code::{Exit, IMAPSYNC_BY_SIGNAL};
use crate::sync::imapsync::log as imapsync;

/// Words of trouble in what other programs print; the second of a pair follows the first.
const WORDS: &[&str] = &[
    "aborted",
    "can't",
    "cannot",
    "couldn't",
    "denied",
    "refused",
    "timeout",
    "unreachable",
    "overquota",
];
const PAIRS: &[(&str, &str)] = &[
    ("can", "not"),
    ("could", "not"),
    ("over", "quota"),
    ("time", "out"),
    ("timed", "out"),
];
/// Those that may be counted.
const COUNTED_WORDS: &[&str] = &[
    "err", "errs", "error", "errors", "fail", "failed", "failure", "failures", "warning", "warnings",
];

/// The numbers of the lines that report a problem, from 1.
pub fn problem_lines(text: &str) -> Vec<usize> {
    let lines = || text.lines();
    // Whatever words a run used that ended well, nothing went wrong in it.
    let ended_well = lines().rev().find_map(exit_code) == Some(0);
    let told = lines().enumerate();
    let told = told.filter(|(_, line)| is_problem(line, ended_well));
    told.map(|(at, _)| at + 1).collect()
}

fn is_problem(line: &str, ended_well: bool) -> bool {
    if let Some(code) = exit_code(line) {
        return ![0, IMAPSYNC_BY_SIGNAL.into(), Exit::Stopped.code().into()].contains(&code);
    }
    match log::problems(line).or_else(|| imapsync::problems(line)) {
        Some(count) => count > 0,
        None => !ended_well && has_words_of_trouble(line),
    }
}

/// What the line says that the run ended with.
fn exit_code(line: &str) -> Option<i32> {
    Some(imapsync::exit(line)?.code)
}

/// Names of folders (in brackets) and options (`--timeout`) are no such words, nor are those that count nothing.
fn has_words_of_trouble(line: &str) -> bool {
    let line = without_brackets(line).to_lowercase();
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '-'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let is = |at: Option<usize>, wanted: &[&str]| {
        at.and_then(|at| words.get(at))
            .is_some_and(|word| wanted.contains(word))
    };
    words.iter().enumerate().any(|(at, word)| {
        let (before, after) = (at.checked_sub(1), Some(at + 1));
        WORDS.contains(word)
            || PAIRS
                .iter()
                .any(|(first, second)| word == first && is(after, &[second]))
            || COUNTED_WORDS.contains(word) && !is(before, &["no", "0", "without"]) && !is(after, &["0"])
    })
}

fn without_brackets(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, inside)) = rest.split_once('[') {
        let Some((_, after)) = inside.split_once(']') else {
            break;
        };
        out.push_str(before);
        out.push(' ');
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_a_problem() {
        for line in [
            "Could not append message UID 17 to Drafts: NO [LIMIT] Message too large",
            "Host1 failure: can not open imap connection on host1",
            "Exiting with return value 111 (EXIT_WITH_ERRORS)",
            "Detected 3 errors",
            "Folder [Drafts] -> [Drafts]: 148 copied, 2068 already there, 2 failed, 0 flags, 0 deleted locally, 0 deleted remotely",
            "Messages failed                         : 3",
            "Error: message Drafts/17 <a@b>: NO [LIMIT] Message too large",
            "Err 1/2: Host1 failure: Error login on [imap.example.com]",
            "Host1: the connection timed out",
        ] {
            assert_eq!(problem_lines(line), [1], "{line}");
        }
    }

    #[test]
    fn a_line_tells_of_none() {
        for line in [
            "",
            "Messages transferred : 12",
            "Detected 0 errors",
            "Exiting with return value 0 (EX_OK)",
            "Folder [Errors] -> [Errors]: 3 copied, 0 already there, 0 failed, 0 flags, 0 deleted locally, 0 deleted remotely",
            "Messages failed                         : 0",
            "Host1: folder [Warnings: failed] has 4 messages",
            "Host1: use --timeout to change it",
            "There were no errors, 0 warnings, failures: 0",
            "Exiting with return value 143 (EXIT_BY_SIGNAL)",
            "Exiting with return value 6 (EXIT_BY_SIGNAL)",
        ] {
            assert!(problem_lines(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_run_that_ended_well_had_none() {
        let log = include_str!("imapsync/fixtures/ok.log");
        assert!(problem_lines(log).is_empty());
        assert_eq!(problem_lines("one\nTwo error\r\nthree\n"), [2]);
    }

    #[test]
    fn what_events_say_is_known_again() {
        use crate::sync::event::Event;
        let problem = Event::Problem {
            folder: "Work",
            reason: "gone",
        };
        assert_eq!(log::problems(&problem.to_string()), Some(1));
        let mut folder = crate::task::report::Folder {
            remote: "a]: 7 failed, [b".to_owned(),
            ..Default::default()
        };
        assert_eq!(log::problems(&Event::FolderDone(&folder).to_string()), Some(0));
        folder.failed = 2;
        assert_eq!(log::problems(&Event::FolderDone(&folder).to_string()), Some(2));
        let mut report = crate::task::report::Report::default();
        report.messages.failed = 3;
        let ended = Event::Ended {
            report: &report,
            seconds: 1.0,
            problems: 3,
            exit: Exit::WithErrors,
        };
        let text = ended.to_string();
        let told: Vec<&str> = text
            .lines()
            .filter(|line| is_problem(line, false))
            .map(|line| line.split_whitespace().next().unwrap_or_default())
            .collect();
        assert_eq!(told, ["Messages", "Detected", "Exiting"]);
    }
}
