// SPDX-License-Identifier: GPL-3.0-or-later
//! What each kind of line means.

use super::{Copied, Exit, Folder, Totals, readable};
use crate::task::report::Problem;

impl Folder {
    pub(super) fn take(&mut self, line: &str) {
        if let Some(copied) = self.copied_line(line) {
            self.copied.push(copied);
        } else if let Some(selected) = self.selected_line(line) {
            self.selected = selected;
        }
    }

    /// `msg INBOX/1 {314}   copied to INBOX/1   63.60 msgs/s …`: both numbers are UIDs.
    fn copied_line(&self, line: &str) -> Option<Copied> {
        let rest = line.strip_prefix("msg ")?.strip_prefix(self.remote.as_str())?;
        let (remote_uid, rest) = rest.strip_prefix('/')?.split_once(" {")?;
        let (bytes, rest) = rest.split_once('}')?;
        let rest = rest.trim_start().strip_prefix("copied to ")?;
        let rest = rest.strip_prefix(self.local.as_str())?.strip_prefix('/')?;
        Some(Copied {
            remote_uid: remote_uid.parse().ok()?,
            local_uid: rest.split_whitespace().next()?.parse().ok(),
            bytes: bytes.parse().ok()?,
        })
    }

    /// `Host1: folder [INBOX] selected 4 messages, duplicates 0`
    fn selected_line(&self, line: &str) -> Option<u64> {
        let rest = line.strip_prefix("Host1: folder [")?;
        let rest = rest.split_once("] selected ")?.1;
        rest.split_once(" messages")?.0.parse().ok()
    }
}

impl Totals {
    pub(super) fn take(&mut self, line: &str) -> bool {
        let Some((name, value)) = line.split_once(" : ") else {
            return false;
        };
        let Some(Ok(number)) = value.split_whitespace().next().map(str::parse) else {
            return false;
        };
        match name.trim_end() {
            "Messages transferred" => self.transferred = number,
            "Messages skipped" => self.skipped = number,
            "Total bytes transferred" => self.bytes = number,
            "Messages deleted on host1" => self.deleted_remote = number,
            "Messages deleted on host2" => self.deleted_local = number,
            _ => return false,
        }
        true
    }
}

/// `Folder     1/4 [INBOX]     -> [INBOX]   `; a name that is not ASCII is followed by ` = [its text]`.
pub(super) fn folder_line(line: &str) -> Option<(u64, u64, Folder)> {
    let rest = line.strip_prefix("Folder ")?.trim_start();
    let (numbers, rest) = rest.split_once(' ')?;
    let (index, wanted) = numbers.split_once('/')?;
    let (remote, local) = rest.split_once(" -> [")?;
    let raw = |text: &str| -> Option<String> {
        let inner = text.trim_end().strip_suffix(']')?;
        Some(inner.split_once("] = [").map_or(inner, |(raw, _)| raw).to_owned())
    };
    let folder = Folder {
        remote: raw(remote.strip_prefix('[')?)?,
        local: raw(local)?,
        ..Folder::default()
    };
    Some((index.parse().ok()?, wanted.parse().ok()?, folder))
}

/// `Err 1/2: - msg Work/17 {99} could not append ( Subject:[…], … ) to folder Work: 12 NO refused`
pub(super) fn problem_line(line: &str) -> Option<Problem> {
    let (numbers, text) = line.strip_prefix("Err ")?.split_once(": ")?;
    let (number, of) = numbers.split_once('/')?;
    number.parse::<u64>().ok()?;
    of.parse::<u64>().ok()?;
    let text = text.trim().trim_start_matches("- ");
    let named = text.strip_prefix("msg ").and_then(|rest| {
        // The folder's name may hold anything; the first slash before a number and a blank ends it.
        rest.match_indices('/').find_map(|(slash, _)| {
            let (folder, rest) = (rest.get(..slash)?, rest.get(slash + 1..)?);
            let (uid, reason) = rest.split_once(' ')?;
            Some((folder, uid.parse().ok()?, reason))
        })
    });
    Some(match named {
        Some((folder, uid, reason)) => Problem {
            folder: readable(folder),
            uid: Some(uid),
            message_id: None,
            reason: without_subject(reason),
        },
        None => Problem {
            reason: text.to_owned(),
            ..Problem::default()
        },
    })
}

/// How many problems a line tells of; `None` where it is about something else.
pub fn problems(line: &str) -> Option<u64> {
    let is_failure = line.starts_with("Host1 failure: ") || line.starts_with("Host2 failure: ");
    if is_failure || problem_line(line).is_some() {
        return Some(1);
    }
    line.strip_prefix("Detected ")?
        .split_once(" error")?
        .0
        .parse()
        .ok()
}

/// A report tells which message failed and why, not what people write each other.
fn without_subject(reason: &str) -> String {
    let size = reason.starts_with('{').then(|| reason.split_once("} ")).flatten();
    let reason = size.map_or(reason, |(_, rest)| rest);
    let bounds = reason
        .find("( Subject:[")
        .zip(reason.rfind("] ) to folder "))
        .filter(|(start, end)| start < end);
    match bounds.and_then(|(start, end)| reason.get(..start).zip(reason.get(end + 4..))) {
        Some((before, after)) => format!("{before}{after}"),
        None => reason.to_owned(),
    }
}

/// `Exiting with return value 0 (EX_OK: successful termination) 0/50 nb_errors/max_errors PID 13681`
pub fn exit(line: &str) -> Option<Exit> {
    let rest = line.strip_prefix("Exiting with return value ")?;
    let (code, rest) = rest.split_once(" (")?;
    let name = rest.split([':', ')']).next()?;
    Some(Exit {
        code: code.parse().ok()?,
        name: name.to_owned(),
    })
}
