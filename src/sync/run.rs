// SPDX-License-Identifier: GPL-3.0-or-later
//! One run of a task, whichever engine moves the mail: lock, pid, log, progress, report, status, timestamp.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use super::account::{Account, Failure, LocalServer};
use super::engine::Engine;
use super::exit::Exit;
use super::imapsync::{self, log::Copied};
use super::instance;
use super::job::{Job, Shared};
use super::native;
use super::preview::{self, Preview};
use super::queue::{self, Queue, Ticket};
use super::recorder::{Recorder, Watcher};
use super::state::State;
use crate::error::Key;
use crate::files;
use crate::task::lock::Holder;
use crate::task::progress::State as ProgressState;
use crate::task::report::Report;
use crate::task::status::Status;
use crate::task::{Store, Task, TaskName};

/// How an attempt to run ended.
pub enum Outcome {
    /// Another run of the task is under way; nothing was touched.
    AlreadyRunning,
    /// The run ended.
    Ended {
        /// How.
        exit: Exit,
        /// What it did.
        report: Box<Report>,
    },
}

/// Where the local mail server is.
pub struct Destination {
    /// Its address.
    pub host: String,
    /// Its IMAP port.
    pub port: u16,
}

/// Runs a task to its end. `watcher` is shown the progress.
pub fn run(
    store: &Store,
    name: &TaskName,
    destination: Option<&Destination>,
    settings: &Settings,
    watcher: Option<Watcher>,
) -> crate::error::Result<Outcome> {
    let Some(mut lock) = store.acquire(name, Duration::from_millis(200))? else {
        return Ok(Outcome::AlreadyRunning);
    };
    // The task may have been deleted while its lock was waited for: no file of it may come back.
    if !store.path(name, "env").exists() {
        lock.remove()?;
        return Err(anyhow::anyhow!("there is no task {name}").into());
    }
    let holder = Holder::this_process()?;
    lock.announce(holder)?;
    files::replace(
        store.folder(),
        &store.path(name, "pid"),
        format!("{}\n", holder.pid).as_bytes(),
        0o644,
    )?;
    let ticket = match wait(store, name, settings) {
        Ok(ticket) => ticket,
        Err(failure) => {
            clear(store, name)?;
            if failure.exit != Exit::Stopped {
                return Err(anyhow::anyhow!("cannot wait for a turn: {}", failure.message).into());
            }
            return Ok(Outcome::Ended {
                exit: failure.exit,
                report: Box::new(Report {
                    exit_code: i32::from(failure.exit.code()),
                    exit_name: failure.exit.name().to_owned(),
                    ..Report::default()
                }),
            });
        }
    };
    let former = imapsync::leftover(&store.path(name, "log"));
    let log = open_log(store, name)?;
    let ours = log.try_clone()?;
    let mut recorder = Recorder::new(
        Box::new(LineBuffered(BufWriter::new(ours))),
        Some(store.path(name, "progress")),
    );
    if let Some(watcher) = watcher {
        recorder.watch(watcher);
    }
    recorder.write_progress();
    let recorder = Rc::new(RefCell::new(recorder));
    let files = RunFiles {
        log,
        lock: lock.share()?,
        former,
    };
    let outcome = block_on(attempt(store, name, destination, settings, files, &recorder));
    let ended = conclude(store, name, &recorder, outcome);
    clear(store, name)?;
    drop(ticket);
    drop(lock);
    ended
}

/// What a run is given beside its task.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `SYNC_ENGINE`.
    pub engine: Option<String>,
    /// `MAX_CONCURRENT_SYNCS`.
    pub at_once: Option<String>,
}

impl Settings {
    /// The settings of the instance.
    pub fn of_instance() -> Self {
        Self {
            engine: instance::setting("SYNC_ENGINE"),
            at_once: instance::setting("MAX_CONCURRENT_SYNCS"),
        }
    }
}

/// What stays open for the whole run.
struct RunFiles {
    /// To append to.
    log: File,
    /// Another handle on the lock.
    lock: File,
    /// What the former log said was copied into the inbox.
    former: Vec<Copied>,
}

/// Waits until fewer runs than allowed are at work; a signal ends the wait.
fn wait(store: &Store, name: &TaskName, settings: &Settings) -> Result<Ticket, Failure> {
    let queue = Queue::new(
        &store.folder().join(".queue"),
        queue::runs_at_once(settings.at_once.as_deref()),
    );
    let failed = |error: std::io::Error| Failure::local(error.to_string());
    let ticket = queue.draw().map_err(failed)?;
    if queue.places_before(&ticket).map_err(failed)? > 0 {
        let mut waiting = Recorder::new(Box::new(std::io::sink()), Some(store.path(name, "progress")));
        waiting.progress.state = ProgressState::Queued;
        waiting.write_progress();
        block_on(async { queue.turn(&ticket).await.map_err(failed) })?;
    }
    Ok(ticket)
}

/// An empty log. imapsync writes to it too, so everybody appends.
fn open_log(store: &Store, name: &TaskName) -> crate::error::Result<File> {
    let open = || {
        let log = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(store.path(name, "log"))?;
        log.set_len(0)?;
        Ok(log)
    };
    open().map_err(|error: std::io::Error| {
        anyhow::Error::new(error)
            .context(format!("cannot write {name}.log"))
            .into()
    })
}

/// Removes what is there only while a run is.
fn clear(store: &Store, name: &TaskName) -> std::io::Result<()> {
    files::remove(&store.path(name, "progress"))?;
    files::remove(&store.path(name, "pid"))
}

/// Every line reaches the file at once, so that the log can be followed.
struct LineBuffered(BufWriter<File>);

impl Write for LineBuffered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        if bytes.contains(&b'\n') {
            self.0.flush()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Drives a future to its end on this thread, stopped by SIGTERM or SIGINT.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    let outcome = LocalSet::new().block_on(&runtime, async {
        let stop =
            |kind| signal(kind).map_err(|error| Failure::local(format!("cannot watch for signals: {error}")));
        let (mut terminate, mut interrupt) = (stop(SignalKind::terminate())?, stop(SignalKind::interrupt())?);
        tokio::select! {
            outcome = work => outcome,
            _ = terminate.recv() => Err(stopped()),
            _ = interrupt.recv() => Err(stopped()),
        }
    });
    // A name look-up that hangs must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn stopped() -> Failure {
    Failure {
        exit: Exit::Stopped,
        key: None,
        message: "stopped by a signal".to_owned(),
    }
}

async fn attempt(
    store: &Store,
    name: &TaskName,
    destination: Option<&Destination>,
    settings: &Settings,
    files: RunFiles,
    recorder: &Rc<RefCell<Recorder>>,
) -> Result<(), Failure> {
    let task = load(store, name)?;
    let job = job(store, name, &task, destination)?;
    let engine = Engine::choose(settings.engine.as_deref())?;
    {
        let mut recorder = recorder.borrow_mut();
        let version = env!("CARGO_PKG_VERSION");
        recorder.line(&format!("Here is ns8-imapsync {version}, task {name}"));
        for account in [&job.remote, &job.local] {
            let (host, endpoint) = (account.side.host(), &account.endpoint);
            recorder.line(&format!(
                "{host}: IMAP server [{}] port [{}] user [{}]",
                endpoint.host, endpoint.port, account.user
            ));
        }
    }
    let path = store.path(name, "state");
    let state = State::open(&path, &accounts(&job))?;
    let shared = Shared {
        job: Rc::new(job),
        state: Rc::new(RefCell::new(state)),
        recorder: recorder.clone(),
    };
    imapsync::chores::recover(&shared, &files.former)?;
    let moved = match &engine {
        Engine::Native => native::sync(&shared).await,
        Engine::Imapsync(program) => {
            let order = imapsync::Order {
                program,
                task: &task,
                folder: store.folder(),
                log: files.log,
                lock: files.lock,
            };
            imapsync::sync(&shared, order).await
        }
    };
    pin(store, name, &shared.job, recorder)?;
    moved
}

/// Reads a task.
pub fn load(store: &Store, name: &TaskName) -> Result<Task, Failure> {
    let missing = |message: String| Failure {
        exit: Exit::NoInput,
        key: Some(Key::TaskNotFound),
        message,
    };
    match store.load(name) {
        Ok(Some(task)) => Ok(task),
        Ok(None) => Err(missing(format!("there is no task {name}"))),
        Err(error) => Err(missing(error.to_string())),
    }
}

/// What a task asks for, with both accounts.
pub fn job(
    store: &Store,
    name: &TaskName,
    task: &Task,
    destination: Option<&Destination>,
) -> Result<Job, Failure> {
    let local = Account::local(&task.local_user, local_server(store, destination)?);
    let password = store
        .password(task)
        .map_err(|error| Failure::local(error.to_string()))?;
    let password = password.ok_or_else(|| Failure {
        exit: Exit::AuthenticationUser1,
        key: Some(Key::PasswordRequired),
        message: format!(
            "the password file {} is missing: edit the task and enter the password",
            name.file("pwd")
        ),
    })?;
    let certificate = store.options(name).certificate;
    let remote = Account::remote(
        &task.remote_host,
        task.remote_port,
        task.security,
        &task.remote_user,
        password,
        certificate,
    );
    Job::new(task, remote, local)
}

/// The local mail server with the master user's password.
pub fn local_server(store: &Store, destination: Option<&Destination>) -> Result<LocalServer, Failure> {
    let unconfigured = |message: &str| Failure {
        exit: Exit::ConnectionHost2,
        key: Some(Key::MailServerNotConfigured),
        message: message.to_owned(),
    };
    let destination =
        destination.ok_or_else(|| unconfigured("MAIL_HOST is not set: configure the module"))?;
    let password = store
        .master_password()
        .map_err(|error| Failure::local(error.to_string()))?;
    let password = password
        .ok_or_else(|| unconfigured("vmail.pwd is missing: restart the service, which fetches it"))?;
    Ok(LocalServer {
        host: destination.host.clone(),
        port: destination.port,
        password,
    })
}

/// What the state belongs to; other accounts have other mail.
pub fn accounts(job: &Job) -> String {
    let remote = &job.remote;
    format!(
        "{}:{} {} -> {}",
        remote.endpoint.host, remote.endpoint.port, remote.user, job.local.user
    )
}

/// A task from before certificates were looked at accepts the one it meets first, and only that one from then on.
fn pin(store: &Store, name: &TaskName, job: &Job, recorder: &RefCell<Recorder>) -> Result<(), Failure> {
    let Some(certificate) = job.remote.first_met() else {
        return Ok(());
    };
    let mut options = store.options(name);
    options.certificate = Some(certificate.sha256.clone());
    store
        .save_options(name, &options)
        .map_err(|error| Failure::local(error.to_string()))?;
    let line = format!(
        "Host1: accepted the certificate with SHA-256 {}",
        certificate.sha256
    );
    recorder.borrow_mut().line(&line);
    Ok(())
}

/// Writes how the run ended. A stop leaves the former status (contract section 4).
fn conclude(
    store: &Store,
    name: &TaskName,
    recorder: &Rc<RefCell<Recorder>>,
    outcome: Result<(), Failure>,
) -> crate::error::Result<Outcome> {
    let mut recorder = recorder.borrow_mut();
    let exit = match outcome {
        Ok(()) => recorder.exit(),
        Err(failure) => {
            recorder.report.error = failure.key.map(|key| key.to_string());
            recorder.problem("", failure.exit, &failure.message);
            failure.exit
        }
    };
    let exit = match recorder.take_log_failure() {
        Some(_) if exit == Exit::Ok => Exit::CatchAll,
        _ => exit,
    };
    let elapsed = recorder.elapsed();
    let Report { started, .. } = recorder.report;
    recorder.report.ended = jiff::Timestamp::now().as_second();
    recorder.report.exit_code = i32::from(exit.code());
    recorder.report.exit_name = exit.name().to_owned();
    statistics(&mut recorder, elapsed, exit);
    let log_failure = recorder.take_log_failure();
    let report = recorder.report.clone();
    if exit == Exit::Stopped {
        files::remove(&store.path(name, "timestamp"))?;
    } else {
        let text = serde_json::to_vec(&report).map_err(anyhow::Error::from)?;
        files::replace(store.folder(), &store.path(name, "report"), &text, 0o600)?;
        store.save_status(
            name,
            Status {
                started,
                exit_code: i32::from(exit.code()),
            },
        )?;
        if exit == Exit::Ok {
            complete(store, name, started)?;
        }
    }
    if let Some(error) = log_failure {
        return Err(anyhow::Error::new(error)
            .context(format!("cannot write {name}.log"))
            .into());
    }
    Ok(Outcome::Ended {
        exit,
        report: Box::new(report),
    })
}

fn statistics(recorder: &mut Recorder, elapsed: Duration, exit: Exit) {
    let report = recorder.report.clone();
    let seconds = elapsed.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let (rate, octets) = (
        report.messages.copied as f64 / seconds,
        report.bytes as f64 / seconds / 1024.0,
    );
    for line in [
        "++++ Statistics".to_owned(),
        format!("Transfer time                           : {seconds:.1} sec"),
        format!(
            "Folders synced                          : {}",
            report.folders.len()
        ),
        format!(
            "Messages transferred                    : {}",
            report.messages.copied
        ),
        format!(
            "Messages skipped                        : {}",
            report.messages.skipped
        ),
        format!(
            "Messages failed                         : {}",
            report.messages.failed
        ),
        format!(
            "Messages deleted on host1               : {}",
            report.deleted_remote
        ),
        format!(
            "Messages deleted on host2               : {}",
            report.deleted_local
        ),
        format!("Flags changed on host2                  : {}", report.flags),
        format!("Total bytes transferred                 : {}", report.bytes),
        format!("Message rate                            : {rate:.1} messages/s"),
        format!("Average bandwidth rate                  : {octets:.1} KiB/s"),
        format!("Detected {} errors", recorder.problems()),
        format!("Exiting with return value {} ({})", exit.code(), exit.name()),
    ] {
        recorder.line(&line);
    }
}

/// `NAME.timestamp`: the folder mode of the last complete run, dated at its start, for the engine that reads it.
fn complete(store: &Store, name: &TaskName, started: i64) -> crate::error::Result<()> {
    let Some(task) = store.load(name)? else {
        return Ok(());
    };
    let path = store.path(name, "timestamp");
    let moment = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(started).unwrap_or(0));
    let mode = task.folders.as_str().as_bytes();
    Ok(files::replace_dated(store.folder(), &path, mode, 0o644, moment)?)
}

/// Runs a future that is no run of a task: a check, a count.
pub fn ask<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = LocalSet::new().block_on(&runtime, work);
    runtime.shutdown_background();
    Ok(answer)
}

/// What a run of a task would do. Nothing is written, not even on this side.
pub fn preview(
    store: &Store,
    name: &TaskName,
    destination: Option<&Destination>,
) -> Result<Preview, Failure> {
    let task = load(store, name)?;
    let mut job = job(store, name, &task, destination)?;
    job.dry = true;
    let state = State::preview(&store.path(name, "state"), &accounts(&job))?;
    let shared = Shared {
        job: Rc::new(job),
        state: Rc::new(RefCell::new(state)),
        recorder: Rc::new(RefCell::new(Recorder::new(Box::new(std::io::sink()), None))),
    };
    ask(preview::preview(&shared)).map_err(|error| Failure::local(error.to_string()))?
}

/// The line that sums up a run.
pub fn summary(name: &TaskName, report: &Report) -> String {
    format!(
        "{name}: {} messages transferred, exit code {}",
        report.messages.copied, report.exit_code
    )
}
