// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run tells while it runs: log for people, progress and report for programs.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::files;
use crate::imap::Mask;
use crate::imap::answer_time::AnswerTime;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::task::progress::Progress;
use crate::task::report::{Folder, Problem, Report, Withheld};
use crate::text::printable;

/// Problems listed one by one; beyond, they are counted.
const LISTED_PROBLEMS: usize = 1000;
/// How many octets a log may have before its summary, and how many characters a line.
const LOG_OCTETS: u64 = 16 * 1024 * 1024;
const LINE_LENGTH: usize = 2000;
/// What a source did before that says nothing of what it does now.
const RECENT: Duration = Duration::from_secs(5);
const PROGRESS_PACE: Duration = Duration::from_millis(500);

/// Is shown the progress of a run whenever it changes.
pub type Watcher = Box<dyn Fn(&Progress)>;

/// Collects what happens in a run.
pub struct Reporter {
    log: Box<dyn Write>,
    log_failure: Option<std::io::Error>,
    progress_file: Option<PathBuf>,
    written: Option<Instant>,
    started: Instant,
    /// Where the run stands.
    pub progress: Progress,
    /// What it did.
    pub report: Report,
    kinds: BTreeMap<Exit, u64>,
    watcher: Option<Watcher>,
    answer_time: AnswerTime,
    /// When the source answered last.
    answered: Option<Instant>,
    masks: Vec<Mask>,
    /// Octets of the log.
    logged: u64,
}

impl Reporter {
    /// Starts recording.
    pub fn new(log: Box<dyn Write>, progress_file: Option<PathBuf>) -> Self {
        let started = crate::clock::now();
        Self {
            log,
            log_failure: None,
            progress_file,
            written: None,
            started: Instant::now(),
            progress: Progress {
                started,
                ..Progress::default()
            },
            report: Report {
                started,
                ..Report::default()
            },
            kinds: BTreeMap::new(),
            watcher: None,
            answer_time: AnswerTime::default(),
            answered: None,
            masks: vec![],
            logged: 0,
        }
    }

    /// Has somebody look at the progress whenever it is written.
    pub fn watch(&mut self, watcher: Watcher) {
        self.watcher = Some(watcher);
    }

    /// Tells in the progress how long the source takes to answer.
    pub fn time_answers(&mut self, answer_time: AnswerTime) {
        self.answer_time = answer_time;
    }

    /// Hides a secret in all that is told from now on: a server may repeat it anywhere, as the name of a folder, too.
    /// What the mask learns later, such as a renewed token, is hidden from then on.
    pub fn hide(&mut self, mask: Mask) {
        self.masks.push(mask);
    }

    /// A text without what is hidden.
    pub fn masked(&self, text: &str) -> String {
        self.masks
            .iter()
            .fold(text.to_owned(), |text, mask| mask.apply(&text).into_owned())
    }

    /// Tells something, as long as the log has not reached its largest size; the summary of a run in any case.
    pub fn tell(&mut self, event: &Event<'_>) {
        let text = event.to_string();
        match event {
            // Only numbers of our own are in these lines.
            Event::Ended { .. } => text.lines().for_each(|line| self.line(line)),
            _ if self.logged > LOG_OCTETS => {}
            _ => {
                self.line(&text);
                if self.logged > LOG_OCTETS {
                    self.line(&Event::LogIsFull.to_string());
                }
            }
        }
    }

    /// Writes a line of the log, whatever foreign words are in it.
    fn line(&mut self, line: &str) {
        let line = self.masked(&printable(line));
        let line = match line.char_indices().nth(LINE_LENGTH) {
            Some((end, _)) => &line[..end],
            None => &line,
        };
        self.logged += line.len() as u64;
        let written = self
            .log
            .write_all(line.as_bytes())
            .and_then(|()| self.log.write_all(b"\n"));
        if let Err(error) = written {
            self.log_failure.get_or_insert(error);
        }
    }

    /// The source has turned the run away for a while, which the supervisor wants to know.
    pub fn turned_away(&mut self) {
        self.progress.turned_away += 1;
        self.write_progress();
    }

    /// Why the log could not be written completely.
    pub fn log_failure(&mut self) -> Option<&std::io::Error> {
        if let Err(error) = self.log.flush() {
            self.log_failure.get_or_insert(error);
        }
        self.log_failure.as_ref()
    }

    /// Names the folders of the run, in the order of their numbers.
    pub fn set_folders(&mut self, names: impl Iterator<Item = (String, String)>) {
        self.report.folders = names
            .map(|(remote, local)| Folder {
                remote: self.masked(&remote),
                local: self.masked(&local),
                ..Folder::default()
            })
            .collect();
        self.progress.folders = self.report.folders.len() as u64;
    }

    /// The record of one folder.
    pub fn folder(&mut self, index: usize) -> Option<&mut Folder> {
        self.report.folders.get_mut(index)
    }

    /// Says which folder is at work.
    pub fn enter(&mut self, index: usize) {
        if let Some(folder) = self.report.folders.get(index) {
            self.progress.folder.clone_from(&folder.remote);
            self.progress.folder_index = index as u64 + 1;
        }
        self.tick();
    }

    /// Counts copied messages.
    pub fn copied(&mut self, index: usize, messages: u64, bytes: u64) {
        self.report.messages.copied += messages;
        self.report.bytes += bytes;
        self.progress.messages_done += messages;
        self.progress.bytes_done += bytes;
        if let Some(folder) = self.folder(index) {
            folder.copied += messages;
            folder.bytes += bytes;
        }
        self.enter(index);
    }

    /// Counts messages that were there already.
    pub fn skipped(&mut self, index: usize, messages: u64) {
        self.report.messages.skipped += messages;
        if let Some(folder) = self.folder(index) {
            folder.skipped += messages;
        }
    }

    /// Counts flags and keywords that the local server did not take.
    pub fn flags_dropped(&mut self, index: usize, flags: u64) {
        self.report.flags_dropped += flags;
        if let Some(folder) = self.folder(index) {
            folder.flags_dropped += flags;
        }
    }

    /// Notes a message that could not be moved.
    pub fn message_problem(
        &mut self,
        index: usize,
        kind: Exit,
        uid: u32,
        message_id: Option<String>,
        reason: &str,
    ) {
        self.report.messages.failed += 1;
        self.progress.messages_done += 1;
        let mut name = String::new();
        if let Some(folder) = self.folder(index) {
            folder.failed += 1;
            name.clone_from(&folder.remote);
        }
        self.tell(&Event::MessageFailed {
            folder: &name,
            uid,
            message_id: message_id.as_deref(),
            reason,
        });
        self.note(
            kind,
            Problem {
                folder: name,
                uid: Some(uid),
                message_id,
                reason: reason.to_owned(),
            },
        );
    }

    /// Notes a problem with a folder or the run.
    pub fn problem(&mut self, folder: &str, kind: Exit, reason: &str) {
        self.tell(&Event::Problem { folder, reason });
        self.note(
            kind,
            Problem {
                folder: folder.to_owned(),
                uid: None,
                message_id: None,
                reason: reason.to_owned(),
            },
        );
    }

    /// Notes messages that are kept because nothing proves that they may be deleted.
    pub fn withheld(&mut self, folder: &str, messages: u64, reason: &str) {
        self.tell(&Event::Withheld {
            folder,
            messages,
            reason,
        });
        self.note_withheld(folder, messages, reason, false);
    }

    /// Notes messages that are kept until an administrator confirms their deletion.
    pub fn held_back(&mut self, folder: &str, messages: u64, reason: &str) {
        let problem = format!(
            "{messages} messages were not deleted locally: {reason}; confirm these deletions if they are meant"
        );
        self.problem(folder, Exit::WithErrors, &problem);
        self.note_withheld(folder, messages, reason, true);
    }

    fn note_withheld(&mut self, folder: &str, messages: u64, reason: &str, confirmable: bool) {
        if self.report.withheld.len() < LISTED_PROBLEMS {
            self.report.withheld.push(Withheld {
                folder: self.masked(folder),
                messages,
                reason: self.masked(reason),
                confirmable,
            });
        }
    }

    /// A problem without what is hidden.
    pub fn masked_problem(&self, problem: Problem) -> Problem {
        Problem {
            reason: self.masked(&problem.reason),
            folder: self.masked(&problem.folder),
            message_id: problem.message_id.map(|id| self.masked(&id)),
            ..problem
        }
    }

    fn note(&mut self, kind: Exit, problem: Problem) {
        let problem = self.masked_problem(problem);
        *self.kinds.entry(kind).or_default() += 1;
        if self.report.problems.len() < LISTED_PROBLEMS {
            self.report.problems.push(problem);
        }
    }

    /// How a run ends whose problems did not stop it: what occurred most decides, as with imapsync; a full
    /// mailbox comes first, since it explains the rest.
    pub fn exit(&self) -> Exit {
        if self.kinds.contains_key(&Exit::OverQuota) {
            return Exit::OverQuota;
        }
        self.kinds
            .iter()
            .max_by_key(|&(_, count)| count)
            .map_or(Exit::Ok, |(&kind, _)| kind)
    }

    /// How many problems there were.
    pub fn problems(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Writes the progress now and then.
    pub fn tick(&mut self) {
        if self.written.is_some_and(|at| at.elapsed() < PROGRESS_PACE) {
            return;
        }
        self.write_progress();
    }

    /// Writes the progress.
    pub fn write_progress(&mut self) {
        self.written = Some(Instant::now());
        self.progress.updated = crate::clock::now();
        if let Some(time) = self.answer_time.take() {
            self.progress.answer_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
            self.answered = Some(Instant::now());
        } else if self.answered.is_none_or(|at| at.elapsed() > RECENT) {
            self.progress.answer_ms = 0;
        }
        if let Some(watcher) = &self.watcher {
            watcher(&self.progress);
        }
        if let (Some(path), Ok(text)) = (&self.progress_file, serde_json::to_vec(&self.progress)) {
            // Progress that cannot be written is progress all the same; no fsync, it is worthless after a crash.
            let _ = replace_quickly(path, &text);
        }
    }
}

fn replace_quickly(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let (Some(folder), Some(file)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    // Named as by `files`, so that what a killed run leaves is swept away by the next.
    let temporary = folder.join(format!(".{file}{}", files::TEMPORARY_SUFFIX));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&temporary)
        .and_then(|mut file| file.write_all(text))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_known_late_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let (log, progress) = (folder.path().join("u_1.log"), folder.path().join("u_1.progress"));
        let mut reporter = Reporter::new(Box::new(fs::File::create(&log).unwrap()), Some(progress.clone()));
        let mask = Mask::default();
        reporter.hide(mask.clone());
        mask.add(&Mask::new(["ya29.t0ken"], []));
        reporter.set_folders(std::iter::once((
            "Bad ya29.t0ken".to_owned(),
            "Bad ya29.t0ken".to_owned(),
        )));
        reporter.enter(0);
        reporter.problem("Bad ya29.t0ken", Exit::WithErrors, "NO ya29.t0ken");
        reporter.write_progress();
        let report = serde_json::to_string(&reporter.report).unwrap();
        let texts = [log, progress].map(|path| fs::read_to_string(path).unwrap());
        for text in texts.iter().chain([&report]) {
            assert!(text.contains("Bad …") && !text.contains("ya29"), "{text}");
        }
    }
}
