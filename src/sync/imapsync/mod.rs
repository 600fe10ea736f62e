// SPDX-License-Identifier: GPL-3.0-or-later
//! Stock imapsync as an engine.
//!
//! [`command`]: its command line, `excluded` of it · `token_file`: the access token it reads · [`child`]: its process ·
//! [`log`]: what its log says · `contents`: what it stored · `late`: old mail that arrives late · [`post_process`]: what is
//! done natively around it.

pub mod child;
pub mod command;
mod contents;
mod excluded;
mod late;
pub mod log;
pub mod post_process;
mod token_file;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use crate::error::ErrorKey;
use crate::imap::{Credentials, Mailbox, Trust, UidSet};
use crate::sync::access::Access;
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::imapsync::child::{Locks, Running};
use crate::sync::imapsync::command::{RemoteLogin, RunContext};
use crate::sync::imapsync::log::masking::Masking;
use crate::sync::imapsync::log::{Copied, LogSummary, Reader};
use crate::sync::imapsync::post_process::Before;
use crate::sync::imapsync::token_file::TokenFile;
use crate::sync::job::Shared;
use crate::sync::state::Flag;
use crate::task::FileKind;
use crate::task::Task;
use crate::task::report::{Folder, Messages};

/// How often the log is read for progress.
const PACE: Duration = Duration::from_millis(200);

/// What a run by imapsync needs in addition to the job.
#[derive(Debug)]
pub struct Order<'a> {
    /// The program.
    pub program: &'a Path,
    /// The task.
    pub task: &'a Task,
    /// The folder of the tasks' files.
    pub folder: &'a Path,
    /// The log, opened to append.
    pub log: File,
    /// What keeps other runs away.
    pub locks: Locks,
    /// How much it may pull, where there is a limit.
    pub bytes_per_second: Option<u64>,
}

/// Whether imapsync knows all that the task asks for.
pub fn suits(shared: &Shared) -> bool {
    shared.job.selection.options.is_default() && shared.job.remote.endpoint.proxy.is_none()
}

/// Runs imapsync, and does what it cannot do. `false`: it would take mail elsewhere, and was not started.
pub async fn sync(shared: &Shared, order: Order<'_>) -> Result<bool, Failure> {
    let task = order.task;
    // In the inbox it is told by UID which messages are new.
    let days = days(order.folder, task).filter(|_| !shared.job.inbox_only());
    let Some(before) = post_process::before(shared, task, days).await? else {
        return Ok(false);
    };
    // What a former local mailbox had is not younger than so many days.
    let is_replaced = shared.mailbox_replaced.get();
    let days = days.filter(|_| !before.has_late && !is_replaced);
    let (copied, outcome) = if before.unread.as_ref().is_some_and(UidSet::is_empty) {
        (vec![], Ok(()))
    } else {
        let (summary, status) = run(shared, order, days, &before).await?;
        tell(shared, &summary);
        (copied_into_inbox(&summary), judge(&summary, status))
    };
    if let Err(failure) = &outcome
        && failure.exit == Exit::Stopped
    {
        return outcome.map(|()| true);
    }
    // Whatever has arrived is finished, even when the rest has not.
    let skipped = shared.reporter.borrow().report.messages.skipped;
    let finished = post_process::complete(shared, &copied, outcome.is_ok()).await;
    shared.reporter.borrow_mut().report.messages.skipped = skipped;
    let ended = outcome.and(finished);
    if is_replaced {
        shared.state.borrow().set(Flag::MailboxReplaced, ended.is_err())?;
    }
    ended?;
    if shared.reporter.borrow().exit() == Exit::Ok {
        before.ends.remember(shared)?;
    }
    Ok(true)
}

/// What a log says was copied from the inbox; nothing when it is not there or another program's.
pub fn leftover(log: &Path) -> Vec<Copied> {
    let Ok(mut file) = File::open(log) else {
        return vec![];
    };
    if !file.metadata().is_ok_and(|file| file.is_file()) {
        return vec![];
    }
    let mut reader = Reader::default();
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length) = io::Read::read(&mut file, &mut piece) {
        match piece.get(..length) {
            Some(part) if !part.is_empty() => reader.feed(part),
            _ => break,
        }
    }
    copied_into_inbox(&reader.finish())
}

fn copied_into_inbox(summary: &LogSummary) -> Vec<Copied> {
    let inbox = |name: &str| Mailbox::from_wire(name.as_bytes().to_vec()).is_inbox();
    let folders = summary
        .folders
        .iter()
        .filter(|folder| inbox(&folder.remote) && inbox(&folder.local));
    folders.flat_map(|folder| folder.copied.clone()).collect()
}

async fn run(
    shared: &Shared,
    order: Order<'_>,
    days: Option<u32>,
    before: &Before,
) -> Result<(LogSummary, ExitStatus), Failure> {
    let Order {
        program,
        task,
        folder,
        log,
        locks,
        bytes_per_second,
    } = order;
    let job = &shared.job;
    let met = job.remote.first_met().filter(|certificate| !certificate.trusted);
    let certificate = match &job.remote.endpoint.trust {
        Trust::Pinned(sha256) | Trust::Renewable { pin: sha256, .. } => Some(sha256.as_str()),
        Trust::Authorities => None,
        Trust::Learn | Trust::Ask | Trust::Any => met.map(|certificate| certificate.sha256.as_str()),
    };
    let mut token = match job.remote.access {
        Access::Token { .. } => Some(TokenFile::write(&job.remote, folder, &task.name()).await?),
        Access::Fixed(_) => None,
    };
    let login = match &job.remote.access {
        Access::Token { .. } => RemoteLogin::Token,
        Access::Fixed(Credentials::Delegated { admin, .. }) => RemoteLogin::OnBehalf { admin },
        Access::Fixed(_) => RemoteLogin::Password,
    };
    let local_met = job
        .local
        .first_met()
        .map(|certificate| certificate.sha256.as_str());
    let local_pin = match &job.local.endpoint.trust {
        Trust::Renewable { pin, .. } => Some(pin.as_str()),
        _ => None,
    };
    let around = RunContext {
        login,
        folder,
        local_host: &job.local.endpoint.host,
        local_port: job.local.endpoint.port,
        certificate,
        known: job.remote.endpoint.trust.is_known() || job.remote.first_met().is_some(),
        protocols: job.remote.endpoint.protocols,
        local_certificate: local_met.or(local_pin),
        days,
        bytes_per_second,
        unread: before.unread.as_ref(),
        selected: &before.selected,
        left_out: &before.left_out,
    };
    let arguments = command::arguments(task, &around);
    let failed = |what: &str, error: io::Error| Failure::local(format!("cannot {what}: {error}"));
    let pid = folder.join(task.name().file(FileKind::Pid));
    // imapsync writes its own, and would take ours for that of another run.
    crate::files::remove(&pid).map_err(|error| failed("remove the pid file", error))?;
    let path = folder.join(task.name().file(FileKind::Log));
    let reading = File::options().read(true).write(true).open(path);
    let reading = reading.map_err(|error| failed("read the log", error))?;
    let mut read = log
        .metadata()
        .map_err(|error| failed("read the log", error))?
        .len();
    // Dropped after the program has ended, whatever ends this.
    let mut hiding = Hiding {
        shared,
        log: Masking::new(
            reading
                .try_clone()
                .map_err(|error| failed("read the log", error))?,
            read,
        ),
    };
    let running = Running::start(program, &arguments, log, locks);
    let mut running = running.map_err(|error| failed(&format!("run {}", program.display()), error))?;
    let mut reader = Reader::default();
    loop {
        // Asked before the log is read: what was said before the end is in there then.
        let status = running
            .status()
            .map_err(|error| failed("wait for imapsync", error))?;
        read += follow(&reading, read, &mut reader).map_err(|error| failed("read the log", error))?;
        let hidden = hiding.catch_up(read, status.is_some());
        if status.is_some() {
            hidden.map_err(|error| failed("hide secrets in the log", error))?;
        }
        progress(shared, reader.summary());
        if let Some(status) = status {
            return Ok((reader.finish(), status));
        }
        if let Some(token) = &mut token {
            token.keep_fresh().await?;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Hides secrets in the log of a run. What cannot be written over for the moment is tried again.
struct Hiding<'a> {
    shared: &'a Shared,
    log: Masking,
}

impl Hiding<'_> {
    fn catch_up(&mut self, to: u64, is_over: bool) -> io::Result<()> {
        let reporter = self.shared.reporter.borrow();
        self.log.catch_up(to, is_over, |text| reporter.masked(text))
    }
}

impl Drop for Hiding<'_> {
    fn drop(&mut self) {
        // What imapsync said while it was ended. What fails was told before, or goes with the log of the next run.
        let _ = self.catch_up(u64::MAX, true);
    }
}

/// How many days back imapsync has to look.
fn days(folder: &Path, task: &Task) -> Option<u32> {
    let path = folder.join(task.name().file(FileKind::Timestamp));
    let started = path.metadata().and_then(|file| file.modified()).ok()?;
    command::days_since(
        &std::fs::read_to_string(path).ok()?,
        started,
        SystemTime::now(),
        task.folders,
    )
}

/// Reads what the log has grown by.
fn follow(log: &File, from: u64, reader: &mut Reader) -> io::Result<u64> {
    let mut piece = vec![0; 64 * 1024];
    let mut read = 0;
    loop {
        let length = log.read_at(&mut piece, from + read)?;
        let Some(part) = piece.get(..length).filter(|part| !part.is_empty()) else {
            return Ok(read);
        };
        reader.feed(part);
        read += length as u64;
    }
}

fn progress(shared: &Shared, summary: &LogSummary) {
    let mut reporter = shared.reporter.borrow_mut();
    let (done, total) = summary.messages();
    let folder = summary.folders.last();
    let folder = folder.map(|folder| reporter.masked(&log::readable(&folder.remote)));
    let progress = &mut reporter.progress;
    progress.folder = folder.unwrap_or_default();
    progress.folder_index = summary.folder_index;
    progress.folders = summary.folders_wanted;
    (progress.messages_done, progress.messages_total) = (done, total);
    progress.bytes_done = summary.bytes();
    reporter.tick();
}

/// Takes over what the log says into the report.
fn tell(shared: &Shared, summary: &LogSummary) {
    let mut reporter = shared.reporter.borrow_mut();
    let folders = summary
        .folders
        .iter()
        .map(|folder| {
            let remote = log::readable(&folder.remote);
            let failed = summary
                .problems
                .iter()
                .filter(|p| p.uid.is_some() && p.folder == remote)
                .count() as u64;
            let copied = folder.copied.len() as u64;
            Folder {
                local: reporter.masked(&log::readable(&folder.local)),
                copied,
                skipped: folder.selected.saturating_sub(copied + failed),
                failed,
                bytes: folder.bytes(),
                remote: reporter.masked(&remote),
                ..Folder::default()
            }
        })
        .collect();
    let problems = summary.problems.iter().cloned();
    let problems: Vec<_> = problems.map(|problem| reporter.masked_problem(problem)).collect();
    let report = &mut reporter.report;
    report.folders = folders;
    report.messages = Messages {
        copied: summary.copied(),
        skipped: report.folders.iter().map(|folder| folder.skipped).sum(),
        failed: summary
            .problems
            .iter()
            .filter(|problem| problem.uid.is_some())
            .count() as u64,
    };
    report.bytes = summary.bytes();
    report.deleted_remote = summary.deleted_remote();
    report.deleted_local = summary.totals.deleted_local;
    report.problems.extend(problems);
}

/// What imapsync's end means.
fn judge(summary: &LogSummary, status: ExitStatus) -> Result<(), Failure> {
    let Some(code) = status.code() else {
        let signal = status.signal().unwrap_or_default();
        return Err(Failure::local(format!("imapsync was killed by signal {signal}")));
    };
    if code == 0 {
        return match summary.exit {
            Some(_) => Ok(()),
            None => Err(Failure::local(
                "imapsync's log is not complete: is the disk full?",
            )),
        };
    }
    let name = summary
        .exit
        .as_ref()
        .map_or("it did not say why", |exit| exit.name.as_str());
    let (exit, key) = meaning(code);
    Err(Failure {
        exit,
        key,
        message: format!("imapsync ended with {code} ({name})"),
    })
}

/// The exit codes of imapsync that are shown to people (contract section 5).
fn meaning(code: i32) -> (Exit, Option<ErrorKey>) {
    match code {
        6 => (Exit::Stopped, None),
        10 => (Exit::Connection, Some(ErrorKey::CheckHostnameOrPort)),
        12 => (Exit::TlsFailure, Some(ErrorKey::SslEncryptionError)),
        16 => (Exit::Authentication, Some(ErrorKey::BadUserCredentials)),
        101 => (Exit::ConnectionHost1, Some(ErrorKey::CheckHostnameOrPort)),
        102 => (Exit::ConnectionHost2, Some(ErrorKey::LocalServerUnreachable)),
        111 => (Exit::WithErrors, None),
        112 => (Exit::TooManyErrors, None),
        113 => (Exit::OverQuota, None),
        114 => (Exit::AppendErrors, None),
        115 => (Exit::FetchErrors, None),
        116 => (Exit::CreateErrors, None),
        117 => (Exit::SelectErrors, None),
        118 => (Exit::TransferExceeded, None),
        119 => (Exit::AppendVirus, None),
        161 => (Exit::AuthenticationUser1, Some(ErrorKey::BadUserCredentials)),
        162 => (Exit::AuthenticationUser2, Some(ErrorKey::LocalUserUnknown)),
        _ => (Exit::CatchAll, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_keep_their_numbers() {
        for code in [
            10, 12, 16, 101, 102, 111, 112, 113, 114, 115, 116, 117, 118, 119, 161, 162,
        ] {
            assert_eq!(i32::from(meaning(code).0.code()), code);
        }
        assert_eq!(meaning(6).0, Exit::Stopped);
        assert_eq!(meaning(254).0, Exit::CatchAll);
    }

    #[test]
    fn an_end_that_the_log_does_not_tell_is_no_success() {
        let told = LogSummary::of(include_bytes!("fixtures/ok.log"));
        assert!(judge(&told, ExitStatus::from_raw(0)).is_ok());
        let cut = judge(&LogSummary::default(), ExitStatus::from_raw(0)).unwrap_err();
        assert!(cut.message.contains("disk full"), "{}", cut.message);
        let killed = judge(&told, ExitStatus::from_raw(9)).unwrap_err();
        assert_eq!(killed.message, "imapsync was killed by signal 9");
    }
}
