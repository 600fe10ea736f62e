// SPDX-License-Identifier: GPL-3.0-or-later

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context as _;
use ns8_imapsync::error::Result;
use ns8_imapsync::files;
use ns8_imapsync::sync::log_problems::problem_lines;
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::report::Report;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::TaskReference;

/// What a page can show.
const LONGEST: u64 = 100 * 1024;

/// Gives the end of a task's log (contract section 3).
pub(crate) struct GetLog;

/// The end of a log.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    log_content: String,
    truncated: bool,
    /// The lines of `log_content` that tell of a problem, from 1; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<usize>,
    /// What the last run did not delete locally, and the next one deletes after confirm-deletions; left out where
    /// there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held_back: Vec<HeldBack>,
}

/// Messages of a folder that are not deleted until that is confirmed.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HeldBack {
    folder: String,
    messages: u64,
    /// Why they were not deleted.
    reason: String,
}

impl Action for GetLog {
    const NAME: &'static str = "get-log";
    const ABOUT: &'static str = "Gives the last 100 KiB of a task's log";
    type Input = TaskReference;
    type Output = Log;

    fn run(context: &Context, task: TaskReference) -> Result<Log> {
        let Some(name) = task.find_if_there(&context.store)? else {
            return Ok(Log::default());
        };
        let log = tail(&context.store.path(&name, FileKind::Log))
            .with_context(|| format!("cannot read the log of {name}"))?;
        Ok(Log {
            problems: problem_lines(&log.log_content),
            held_back: context.store.report(&name).map_or_else(Vec::new, held_back),
            ..log
        })
    }
}

fn held_back(report: Report) -> Vec<HeldBack> {
    let withheld = report.withheld.into_iter();
    let confirmable = withheld.filter(|withheld| withheld.confirmable);
    confirmable
        .map(|withheld| HeldBack {
            folder: withheld.folder,
            messages: withheld.messages,
            reason: withheld.reason,
        })
        .collect()
}

/// The last whole lines; before the first run there are none.
fn tail(path: &Path) -> io::Result<Log> {
    let mut file = match files::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Log::default());
        }
        Err(error) => return Err(error),
    };
    // One byte more tells whether the first line is whole.
    let start = file.metadata()?.len().saturating_sub(LONGEST + 1);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    // A run may be writing: what comes after the end seen above is for the next call.
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    let truncated = bytes.len() as u64 > LONGEST;
    let rest = match (truncated, bytes.iter().position(|byte| *byte == b'\n')) {
        (true, Some(end)) if end + 1 < bytes.len() => &bytes[end + 1..],
        // One endless line: its end is better than nothing.
        (true, _) => &bytes[1..],
        (false, _) => &bytes[..],
    };
    Ok(Log {
        log_content: String::from_utf8_lossy(rest).into_owned(),
        truncated,
        ..Log::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(content: &[u8]) -> Log {
        let folder = std::env::temp_dir().join(format!("get-log-{}-{}", std::process::id(), content.len()));
        std::fs::write(&folder, content).unwrap();
        let log = tail(&folder).unwrap();
        std::fs::remove_file(&folder).unwrap();
        log
    }

    #[test]
    fn what_may_be_confirmed_is_told_and_nothing_else_that_was_kept() {
        let text = r#"{"withheld":[{"folder":"Old","messages":3,"reason":"new here"},
            {"folder":"Work","messages":57,"reason":"too many","confirmable":true}]}"#;
        let expected = HeldBack {
            folder: "Work".to_owned(),
            messages: 57,
            reason: "too many".to_owned(),
        };
        assert_eq!(held_back(serde_json::from_str(text).unwrap()), [expected]);
    }

    #[test]
    fn a_short_log_is_given_whole() {
        let text = "x\n".repeat(50 * 1024);
        assert_eq!(
            tail_of(text.as_bytes()),
            Log {
                log_content: text,
                ..Log::default()
            }
        );
    }

    #[test]
    fn a_long_log_starts_with_a_whole_line() {
        let text: String = (0..30_000).map(|line| format!("line {line}\n")).collect();
        let log = tail_of(text.as_bytes());
        assert!(log.truncated && log.log_content.len() <= 100 * 1024);
        assert!(log.log_content.starts_with("line ") && log.log_content.ends_with("line 29999\n"));
        assert!(log.log_content.len() > 100 * 1024 - 12);
    }

    #[test]
    fn what_is_no_text_becomes_text() {
        let log = tail_of(b"a\xff\xfeb\n");
        assert_eq!(log.log_content, "a\u{fffd}\u{fffd}b\n");
        let endless = tail_of("ü".repeat(60_000).as_bytes());
        assert!(endless.truncated && endless.log_content.ends_with('ü'));
    }

    #[test]
    fn before_the_first_run_the_log_is_empty() {
        let log = tail(Path::new("/nonexistent/u1_a.log")).unwrap();
        assert_eq!((log.log_content.as_str(), log.truncated), ("", false));
    }
}
