// SPDX-License-Identifier: GPL-3.0-or-later
//! What imapsync's log says, read while it grows or after a crash.
//!
//! Folder names are kept as the log has them: as the server sends them, in modified UTF-7.

mod lines;
pub mod masking;

pub use self::lines::{exit, problems};

use self::lines::{folder_line, problem_line};
use crate::imap::utf7;
use crate::task::report::Problem;

/// Longer lines are not ours to understand; the rest of such a line is skipped.
const LONGEST_LINE: usize = 64 * 1024;

/// Takes a log in pieces of any size.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    in_statistics: bool,
    summary: LogSummary,
}

/// All that a log has told so far.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct LogSummary {
    /// How many folders there are to work through.
    pub folders_wanted: u64,
    /// The number of the folder at work, from 1; 0 before the first one.
    pub folder_index: u64,
    /// The folders begun, in order; the last one is at work.
    pub folders: Vec<Folder>,
    /// The closing statistics.
    pub totals: Totals,
    /// The errors listed at the end.
    pub problems: Vec<Problem>,
    /// What the last line says about the end; `None` when the program did not get there.
    pub exit: Option<Exit>,
}

/// One pair of folders.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Folder {
    /// Its raw name on the remote side.
    pub remote: String,
    /// Its raw name on the local side.
    pub local: String,
    /// Messages that were looked at on the remote side.
    pub selected: u64,
    /// The messages copied.
    pub copied: Vec<Copied>,
}

/// One message copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its UID on the remote side.
    pub remote_uid: u32,
    /// Its UID on the local side; `None` when the server does not tell (RFC 4315).
    pub local_uid: Option<u32>,
    /// Its size.
    pub bytes: u64,
}

/// The closing statistics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Messages copied.
    pub transferred: u64,
    /// Messages left alone.
    pub skipped: u64,
    /// Bytes copied.
    pub bytes: u64,
    /// Messages deleted on the remote side.
    pub deleted_remote: u64,
    /// Messages deleted on the local side.
    pub deleted_local: u64,
}

/// The end of the program in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The exit code.
    pub code: i32,
    /// Its name, such as `EX_OK`.
    pub name: String,
}

impl Reader {
    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let size_limit = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend(text.iter().take(size_limit));
            if ended {
                self.end_line();
            }
        }
    }

    /// All that was told, a last line without its end included.
    pub fn finish(mut self) -> LogSummary {
        self.end_line();
        self.summary
    }

    /// All that has been told so far.
    pub fn summary(&self) -> &LogSummary {
        &self.summary
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        if let Some(rest) = line.strip_prefix("++++ ") {
            self.in_statistics = rest.starts_with("Statistics");
        } else if self.in_statistics && self.summary.totals.take(&line) {
        } else if let Some((index, wanted, folder)) = folder_line(&line) {
            self.summary.folder_index = index;
            self.summary.folders_wanted = wanted;
            self.summary.folders.push(folder);
        } else if let Some(problem) = problem_line(&line) {
            self.summary.problems.push(problem);
        } else if let Some(exit) = exit(&line) {
            self.summary.exit = Some(exit);
        } else if let Some(folder) = self.summary.folders.last_mut() {
            folder.take(&line);
        }
    }
}

impl LogSummary {
    /// Reads a whole log.
    pub fn of(log: &[u8]) -> Self {
        let mut reader = Reader::default();
        reader.feed(log);
        reader.finish()
    }

    /// Messages copied so far.
    pub fn copied(&self) -> u64 {
        self.folders.iter().map(|folder| folder.copied.len() as u64).sum()
    }

    /// Bytes copied so far.
    pub fn bytes(&self) -> u64 {
        self.folders.iter().map(Folder::bytes).sum()
    }

    /// Messages deleted on the remote side. imapsync counts each twice, when it marks it and when it expunges it;
    /// more than it looked at cannot be gone.
    pub fn deleted_remote(&self) -> u64 {
        let looked_at: u64 = self.folders.iter().map(|folder| folder.selected).sum();
        match self.totals.deleted_remote {
            told if told > looked_at => told / 2,
            told => told,
        }
    }

    /// Messages dealt with, and messages known to be there: those of finished folders count as done
    /// whether they had to be copied or not.
    pub fn messages(&self) -> (u64, u64) {
        let known = self.folders.iter().map(|folder| folder.selected).sum();
        match self.folders.split_last() {
            Some((at_work, finished)) => {
                let before: u64 = finished.iter().map(|folder| folder.selected).sum();
                (before + at_work.copied.len() as u64, known)
            }
            None => (0, 0),
        }
    }
}

impl Folder {
    /// Bytes copied.
    pub fn bytes(&self) -> u64 {
        self.copied.iter().map(|message| message.bytes).sum()
    }
}

/// A raw name as people read it.
pub fn readable(raw: &str) -> String {
    utf7::decode(raw.as_bytes()).unwrap_or_else(|| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = include_bytes!("../fixtures/ok.log");
    const REFUSED: &[u8] = include_bytes!("../fixtures/connection-refused.log");

    #[test]
    fn a_recorded_run_is_understood() {
        let summary = LogSummary::of(OK);
        assert_eq!((summary.folder_index, summary.folders_wanted), (4, 4));
        let names: Vec<_> = summary
            .folders
            .iter()
            .map(|f| (f.remote.as_str(), f.local.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("INBOX", "INBOX"),
                ("Spam", "Spam"),
                ("Work", "Work"),
                ("Work.Sub", "Work/Sub")
            ]
        );
        let last = summary.folders.last().unwrap();
        let expected = |uid| Copied {
            remote_uid: uid,
            local_uid: Some(uid),
            bytes: 317,
        };
        assert_eq!(
            (last.selected, &last.copied[..]),
            (2, &[expected(1), expected(2)][..])
        );
        assert_eq!((summary.copied(), summary.bytes()), (11, 3449));
        let totals = Totals {
            transferred: 11,
            bytes: 3449,
            ..Totals::default()
        };
        assert_eq!(summary.totals, totals);
        let exit = Exit {
            code: 0,
            name: "EX_OK".to_owned(),
        };
        assert_eq!((summary.exit, summary.problems), (Some(exit), Vec::new()));
    }

    #[test]
    fn the_pieces_may_be_of_any_size() {
        for size in [1, 7, 4096] {
            let mut reader = Reader::default();
            OK.chunks(size).for_each(|piece| reader.feed(piece));
            assert_eq!(reader.finish(), LogSummary::of(OK));
        }
    }

    #[test]
    fn progress_grows_with_the_log() {
        let half = OK
            .windows(20)
            .position(|w| w.starts_with(b"Folder     3/4"))
            .unwrap();
        let mut reader = Reader::default();
        reader.feed(&OK[..half]);
        assert_eq!(
            (reader.summary().folder_index, reader.summary().messages()),
            (2, (6, 6))
        );
        reader.feed(&OK[half..]);
        assert_eq!(reader.summary().messages(), (11, 11));
    }

    #[test]
    fn a_failed_connection_gives_its_code_and_errors() {
        let summary = LogSummary::of(REFUSED);
        let exit = summary.exit.unwrap();
        assert_eq!(
            (exit.code, exit.name.as_str()),
            (101, "EXIT_CONNECTION_FAILURE_HOST1")
        );
        assert_eq!(summary.problems.len(), 2);
        assert!(
            summary.problems[0]
                .reason
                .starts_with("Host1 failure: can not open imap connection")
        );
        assert_eq!(summary.problems[0].uid, None);
    }

    #[test]
    fn folders_with_strange_names_are_told_apart() {
        let log = "Folder     1/2 [[Gmail]/All Mail]                  -> [All Mail]                         \n\
            msg [Gmail]/All Mail/7 {10}             copied to All Mail/Mail::IMAPClient=HASH(0x5) 1.00 msgs/s\n\
            Folder     2/2 [Gel&APY-scht copied to x] = [Gelöscht copied to x] -> [Gel&APY-scht copied to x] = [Gelöscht copied to x]\n\
            msg Gel&APY-scht copied to x/8 {20}             copied to Gel&APY-scht copied to x/9 1.00 msgs/s\n";
        let summary = LogSummary::of(log.as_bytes());
        assert_eq!(
            summary.folders[0].copied,
            [Copied {
                remote_uid: 7,
                local_uid: None,
                bytes: 10
            }]
        );
        assert_eq!(
            summary.folders[1].copied,
            [Copied {
                remote_uid: 8,
                local_uid: Some(9),
                bytes: 20
            }]
        );
        assert_eq!(readable(&summary.folders[1].remote), "Gelöscht copied to x");
        assert_eq!(summary.exit, None);
    }

    #[test]
    fn a_refused_message_is_named_without_its_subject() {
        let summary = LogSummary::of(
            b"Err 1/1: - msg Work/2020/17 {99} could not append ( Subject:[secret ] ) plan], Date:[\"x\"], Size:[99], Flags:[\\Seen] ) to folder Work/2020: 12 NO [OVERQUOTA] full\n",
        );
        let expected = Problem {
            folder: "Work/2020".to_owned(),
            uid: Some(17),
            message_id: None,
            reason: "could not append to folder Work/2020: 12 NO [OVERQUOTA] full".to_owned(),
        };
        assert_eq!(summary.problems, [expected]);
    }

    #[test]
    fn an_endless_line_takes_no_endless_memory() {
        let mut reader = Reader::default();
        for _ in 0..64 {
            reader.feed(&[b'x'; 4096]);
        }
        assert_eq!(reader.line.len(), LONGEST_LINE);
        reader.feed(b"\nExiting with return value 6 (EXIT_BY_SIGNAL) x\n");
        assert_eq!(reader.finish().exit.unwrap().code, 6);
    }

    #[test]
    fn what_was_deleted_is_counted_once() {
        let log = |told: u64| {
            format!(
                "Folder 1/1 [INBOX] -> [INBOX]\nHost1: folder [INBOX] selected 4 messages, duplicates 0\n\
                 ++++ Statistics\nMessages deleted on host1 : {told}\n"
            )
        };
        for (told, deleted) in [(0, 0), (3, 3), (4, 4), (6, 3), (8, 4)] {
            assert_eq!(LogSummary::of(log(told).as_bytes()).deleted_remote(), deleted);
        }
    }
}
