// SPDX-License-Identifier: GPL-3.0-or-later
//! One run of a task, whichever engine moves the mail: lock, pid, position in the queue, log, progress.

pub mod finish;
pub mod mailbox_lock;
mod met;
pub mod progress_bar;
pub mod queue;
mod run_log;
mod settings;
pub mod stop;
pub mod trace;

use std::cell::RefCell;
use std::fs::File;
use std::io::BufWriter;
use std::num::NonZeroUsize;
use std::rc::Rc;

pub use run_log::clear;
pub use settings::Settings;

use crate::error::ErrorKey;
use crate::files;
use crate::sync::account::{Failure, LoginState};
use crate::sync::bandwidth;
use crate::sync::engine::Engine;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Known;
use crate::sync::imapsync::{self, log::Copied};
use crate::sync::inspect::preview::{self, Preview};
use crate::sync::job::assembly::{self, Destination};
use crate::sync::job::{Job, Shared};
use crate::sync::native;
use crate::sync::reconcile::listing;
use crate::sync::reporter::{Reporter, Watcher};
use crate::sync::run::finish::conclude;
use crate::sync::run::mailbox_lock::MailboxLock;
use crate::sync::run::met::{keep_trust, with_pauses};
use crate::sync::run::queue::{Queue, Ticket};
use crate::sync::run::run_log::{LineBuffered, open_log};
use crate::sync::run::settings::time_limit;
use crate::sync::runtime::{self, SignalRuntime};
use crate::sync::state::{AccountName, Ledger, RecordedFolder};
use crate::task::FileKind;
use crate::task::lock::{Holder, TaskLock};
use crate::task::progress::State as ProgressState;
use crate::task::report::Report;
use crate::task::{Refusals, SourceId, Store, Task, TaskName};

/// What a run says that deletes nothing next to the original instance.
const DELETIONS_REST: &str = "this instance is a copy of one that is still there, and neither sees what the other brings: \
    nothing is deleted on either side; when the other one is removed, resume-schedules ends that";

/// How an attempt to run ended.
pub enum Outcome {
    /// Another run of the task is under way; nothing was touched.
    AlreadyRunning,
    /// The schedule pauses: the login was refused again and again. Nothing was touched.
    Paused,
    /// The schedule waits: an administrator said so. Nothing was touched.
    OnHold,
    /// The run ended.
    Ended {
        /// How.
        exit: Exit,
        /// What it did.
        report: Box<Report>,
    },
}

/// Runs a task to its end. `watcher` is shown the progress.
///
/// # Errors
/// A run that cannot begin, such as that of a task whose file is damaged, leaves log and status of the former one;
/// or what a run was to leave could not be written.
pub fn run(
    store: &Store,
    name: &TaskName,
    destination: Option<&Destination>,
    settings: &Settings,
    watcher: Option<Watcher>,
) -> Result<Outcome, Failure> {
    // Before the run can be known: those who know of it may end it.
    let mut driver = SignalRuntime::start()?;
    let Some(lock) = store.acquire_for_run(name).map_err(local)? else {
        return Ok(Outcome::AlreadyRunning);
    };
    // The task may have been deleted while its lock was waited for: no file of it may come back.
    if !store.path(name, FileKind::Env).exists() {
        lock.remove().map_err(local)?;
        return Err(assembly::missing(format!("there is no task {name}")));
    }
    if settings.scheduled && store.plan(name).on_hold {
        return Ok(Outcome::OnHold);
    }
    if settings.scheduled && store.refusals(name).pause() {
        return Ok(Outcome::Paused);
    }
    let task = assembly::load(store, name)?;
    let allowed = assembly::allowed(store, &task);
    let run = Run {
        store,
        name,
        task: &allowed,
        destination,
        settings,
        deletions_rest: allowed != task,
    };
    let outcome = run.work(lock, watcher, &mut driver);
    driver.end();
    outcome
}

/// What a run of a task would do. Nothing is written, not even on this side.
///
/// # Errors
/// Whatever keeps a run from looking at both sides.
pub fn preview(
    store: &Store,
    name: &TaskName,
    destination: Option<&Destination>,
) -> Result<Preview, Failure> {
    let task = assembly::allowed(store, &assembly::load(store, name)?);
    let mut job = assembly::job(store, name, &task, destination)?;
    job.dry = true;
    let state = Ledger::preview(store.folder(), name, &task.local_user, &account_name(&job))?;
    let reporter = Reporter::new(Box::new(std::io::sink()), None);
    let shared = Shared::new(job, state, Rc::new(RefCell::new(reporter)));
    runtime::ask(preview::preview(&shared)).map_err(local)?
}

/// Where the folders of a task went in earlier runs; nowhere where there is no ledger yet.
///
/// # Errors
/// When the ledger cannot be read.
pub fn known_folders(store: &Store, task: &Task, job: &Job) -> Result<Known, Failure> {
    let ledger = Ledger::preview(store.folder(), &task.name(), &task.local_user, &account_name(job))?;
    Ok(listing::known_folders(&ledger)?)
}

/// What the ledger says of a task's folders; nothing where there is no ledger yet.
///
/// # Errors
/// When the ledger cannot be read.
pub fn recorded(store: &Store, task: &Task, job: &Job) -> Result<Vec<RecordedFolder>, Failure> {
    let ledger = Ledger::preview(store.folder(), &task.name(), &task.local_user, &account_name(job))?;
    Ok(ledger.recorded()?)
}

/// A run that has the task's lock.
struct Run<'a> {
    store: &'a Store,
    name: &'a TaskName,
    task: &'a Task,
    destination: Option<&'a Destination>,
    settings: &'a Settings,
    /// The task deletes, and may not here.
    deletions_rest: bool,
}

/// What stays open for the whole run.
struct RunFiles {
    /// To append to.
    log: File,
    /// Another handle on the task's lock.
    lock: File,
    /// Another one on that of the local mailbox.
    mailbox: File,
    /// What the former log said was copied into the inbox.
    former: Vec<Copied>,
}

impl Run<'_> {
    fn work(
        &self,
        mut lock: TaskLock,
        watcher: Option<Watcher>,
        driver: &mut SignalRuntime,
    ) -> Result<Outcome, Failure> {
        let outcome = self
            .announce(&mut lock)
            .and_then(|()| self.take_turn(&mut lock, watcher, driver));
        let cleared = clear(self.store, self.name).map_err(local);
        drop(lock);
        let outcome = outcome?;
        cleared?;
        Ok(outcome)
    }

    /// Tells those who want to stop the run which process it is.
    fn announce(&self, lock: &mut TaskLock) -> Result<(), Failure> {
        let announced = Holder::this_process().and_then(|holder| {
            lock.announce(holder)?;
            let pid = format!("{}\n", holder.pid);
            let path = self.store.path(self.name, FileKind::Pid);
            files::write_atomic(self.store.folder(), &path, pid.as_bytes(), 0o644)
        });
        announced.map_err(|error| {
            Failure::local(format!("cannot write {}: {error}", self.name.file(FileKind::Pid)))
        })
    }

    fn take_turn(
        &self,
        lock: &mut TaskLock,
        watcher: Option<Watcher>,
        driver: &mut SignalRuntime,
    ) -> Result<Outcome, Failure> {
        let (mailbox, _ticket) = match self.wait(driver) {
            Ok(turn) => turn,
            Err(failure) if failure.exit == Exit::Stopped => {
                return Ok(Outcome::Ended {
                    exit: failure.exit,
                    report: Box::new(Report {
                        exit_code: i32::from(failure.exit.code()),
                        exit_name: failure.exit.name().to_owned(),
                        ..Report::default()
                    }),
                });
            }
            Err(failure) => return Err(failure),
        };
        let former = imapsync::leftover(&self.store.path(self.name, FileKind::Log));
        let log = open_log(self.store, self.name)?;
        let mut reporter = Reporter::new(
            Box::new(LineBuffered(BufWriter::new(log.try_clone().map_err(local)?))),
            Some(self.store.path(self.name, FileKind::Progress)),
        );
        if let Some(watcher) = watcher {
            reporter.watch(watcher);
        }
        reporter.write_progress();
        let reporter = Rc::new(RefCell::new(reporter));
        let files = RunFiles {
            log,
            lock: lock.share().map_err(local)?,
            mailbox: mailbox.share().map_err(local)?,
            former,
        };
        let mut moved = self.drive(&reporter, &files, driver);
        if moved
            .as_ref()
            .is_err_and(|failure| failure.key == Some(ErrorKey::LedgerDamaged))
        {
            // Whatever it was at: the comparison finds what has arrived.
            let message =
                "The ledger of the local mailbox is damaged; it is rebuilt by comparing both sides.";
            reporter.borrow_mut().tell(&Event::Ledger { message });
            moved = Ledger::discard(self.store.folder(), &self.task.local_user)
                .map_err(Failure::from)
                .and_then(|()| self.drive(&reporter, &files, driver));
        }
        let (exit, report) = conclude(
            self.store,
            self.name,
            self.task,
            &mut reporter.borrow_mut(),
            moved,
        )?;
        Ok(Outcome::Ended {
            exit,
            report: Box::new(report),
        })
    }

    /// Keeps and tells what the logins taught.
    fn remember(&self, job: &Job, reporter: &RefCell<Reporter>) -> Result<(), Failure> {
        self.keep_met(job)?;
        let mut reporter = reporter.borrow_mut();
        for account in [&job.remote, &job.local] {
            let side = account.side;
            if let Some(certificate) = account.first_met() {
                reporter.tell(&Event::CertificateAccepted {
                    side,
                    sha256: &certificate.sha256,
                    complaint: &certificate.complaint(),
                });
            }
            for alert in account.endpoint.alerts.texts() {
                reporter.tell(&Event::Alert { side, text: &alert });
            }
        }
        let former = self.store.refusals(self.name);
        let refusals = match job.remote.login_state() {
            LoginState::Unknown => return Ok(()),
            LoginState::LoggedIn => Refusals::default(),
            LoginState::Refused => former.more(),
        };
        self.store.save_refusals(self.name, refusals).map_err(local)?;
        if refusals.pause() {
            reporter.tell(&Event::SchedulePaused { runs: refusals.runs });
        }
        Ok(())
    }

    /// Keeps whom the logins met for the first time.
    fn keep_met(&self, job: &Job) -> Result<(), Failure> {
        if let Some(certificate) = job.remote.first_met() {
            keep_trust(self.store, self.name, certificate)?;
        }
        match job.local.local_pin() {
            Some(pin) => pin.save(self.store).map_err(local),
            None => Ok(()),
        }
    }

    /// Moves the mail once.
    fn drive(
        &self,
        reporter: &Rc<RefCell<Reporter>>,
        files: &RunFiles,
        driver: &mut SignalRuntime,
    ) -> Result<(), Failure> {
        let (shared, engine) = self.begin(reporter, files)?;
        let moved = driver.drive(self.attempt_in_time(&shared, &engine, files), || {
            let mut reporter = reporter.borrow_mut();
            reporter.progress.state = ProgressState::Stopping;
            reporter.write_progress();
        });
        // However the run ended: who was met first stays the one that is trusted.
        self.remember(&shared.job, reporter)?;
        moved
    }

    /// Moves mail until all is done or the time of a run is over; the next run goes on where this one stopped.
    async fn attempt_in_time(
        &self,
        shared: &Shared,
        engine: &Engine,
        files: &RunFiles,
    ) -> Result<(), Failure> {
        let attempt = self.attempt_and_keep(shared, engine, files);
        let Some(limit) = time_limit(self.settings.minutes.as_deref()) else {
            return attempt.await;
        };
        let outcome = tokio::time::timeout(limit, attempt).await;
        outcome.unwrap_or_else(|_| {
            let minutes = limit.as_secs() / 60;
            Err(Failure {
                exit: Exit::WithErrors,
                key: None,
                message: format!(
                    "the run took longer than the {minutes} minutes that MAX_SYNC_MINUTES allows; the next run goes on \
                     where it stopped"
                ),
            })
        })
    }

    /// Moves mail. Whom the logins meet first is kept at once: after a run that is killed the next one would take
    /// whoever is there for the first one again.
    async fn attempt_and_keep(
        &self,
        shared: &Shared,
        engine: &Engine,
        files: &RunFiles,
    ) -> Result<(), Failure> {
        let job = &shared.job;
        let mut kept = [false; 2];
        let keep = || -> Result<(), Failure> {
            let met = [&job.remote, &job.local].map(|account| account.first_met().is_some());
            if met != kept {
                self.keep_met(job)?;
                kept = met;
            }
            Ok(())
        };
        with_pauses(self.attempt(shared, engine, files), keep).await
    }

    /// Waits until no other run works on the mailbox, and then until fewer runs than allowed are at work; a signal ends the
    /// wait.
    fn wait(&self, driver: &mut SignalRuntime) -> Result<(MailboxLock, Ticket), Failure> {
        let failed = |error: std::io::Error| Failure::local(format!("cannot wait for a turn: {error}"));
        let mailbox = MailboxLock::new(self.store.folder(), &self.task.local_user).map_err(failed)?;
        if !mailbox.try_take().map_err(failed)? {
            self.show_queued();
            driver.drive(async { mailbox.take().await.map_err(failed) }, || {})?;
        }
        let queue = Queue::new(&queue::folder(self.store), self.at_once());
        let source = format!("{}:{}", self.task.remote_host, self.task.remote_port);
        let ticket = queue.draw(&source).map_err(failed)?;
        if queue.runs_before(&ticket).map_err(failed)? > 0 {
            self.show_queued();
            driver.drive(async { queue.turn(&ticket).await.map_err(failed) }, || {})?;
        }
        Ok((mailbox, ticket))
    }

    /// How many runs work at once.
    fn at_once(&self) -> NonZeroUsize {
        queue::runs_at_once(self.settings.at_once.as_deref())
    }

    /// The source that the task follows.
    fn source(&self) -> Option<SourceId> {
        self.store.options(self.name).source.map(|link| link.id)
    }

    fn show_queued(&self) {
        let progress = Some(self.store.path(self.name, FileKind::Progress));
        let mut waiting = Reporter::new(Box::new(std::io::sink()), progress);
        waiting.progress.state = ProgressState::Queued;
        waiting.write_progress();
    }

    /// What the run is to do, and with which engine.
    fn begin(&self, reporter: &Rc<RefCell<Reporter>>, files: &RunFiles) -> Result<(Shared, Engine), Failure> {
        let mut job = assembly::job(self.store, self.name, self.task, self.destination)?;
        job.remote.throttle = bandwidth::throttle(self.store, self.name, self.source().as_ref());
        if job.delete_remote.deletes() {
            job.shared_with = assembly::others_at(self.store, self.task).map_err(local)?;
        }
        job.filters_elsewhere = assembly::filters_elsewhere(self.store, self.task).map_err(local)?;
        let engine = Engine::choose(self.settings.engine.as_deref())?;
        reporter.borrow_mut().time_answers(job.remote.answer_time.clone());
        for account in [&job.remote, &job.local] {
            reporter.borrow_mut().hide(account.access.mask());
        }
        if self.settings.debug {
            let masks = vec![job.remote.access.mask(), job.local.access.mask()];
            trace::start(&self.store.path(self.name, FileKind::Trace), masks).map_err(|error| {
                Failure::local(format!(
                    "cannot write {}: {error}",
                    self.name.file(FileKind::Trace)
                ))
            })?;
        }
        introduce(&mut reporter.borrow_mut(), self.name, &job);
        if self.deletions_rest {
            reporter
                .borrow_mut()
                .problem("", Exit::WithErrors, DELETIONS_REST);
        }
        let state = Ledger::open(
            self.store.folder(),
            self.name,
            &self.task.local_user,
            &account_name(&job),
            |message| reporter.borrow_mut().tell(&Event::Ledger { message }),
        )?;
        self.take_confirmation(&state)?;
        let shared = Shared::new(job, state, reporter.clone());
        imapsync::post_process::recover(&shared, &files.former)?;
        Ok((shared, engine))
    }

    /// What an administrator confirmed since the last run.
    fn take_confirmation(&self, state: &Ledger) -> Result<(), Failure> {
        let path = self.store.path(self.name, FileKind::Confirm);
        if path.exists() {
            state.confirm_withheld()?;
            files::remove(&path).map_err(local)?;
        }
        Ok(())
    }

    async fn attempt(&self, shared: &Shared, engine: &Engine, files: &RunFiles) -> Result<(), Failure> {
        match engine {
            Engine::Native => native::sync(shared).await?,
            Engine::Imapsync(program) => {
                let order = imapsync::Order {
                    program,
                    task: self.task,
                    folder: self.store.folder(),
                    log: files.log.try_clone().map_err(local)?,
                    locks: imapsync::child::Locks {
                        task: files.lock.try_clone().map_err(local)?,
                        mailbox: files.mailbox.try_clone().map_err(local)?,
                    },
                    bytes_per_second: bandwidth::fixed_share(
                        self.store,
                        self.name,
                        self.source().as_ref(),
                        self.at_once(),
                    ),
                };
                if !imapsync::suits(shared) || !imapsync::sync(shared, order).await? {
                    shared.reporter.borrow_mut().tell(&Event::OtherEngine);
                    native::sync(shared).await?;
                }
            }
        }
        Ok(())
    }
}

fn local(error: impl std::fmt::Display) -> Failure {
    Failure::local(error.to_string())
}

/// The first lines of a log.
fn introduce(reporter: &mut Reporter, name: &TaskName, job: &Job) {
    reporter.tell(&Event::Begun { task: name });
    for account in [&job.remote, &job.local] {
        reporter.tell(&Event::Account {
            side: account.side,
            host: &account.endpoint.host,
            port: account.endpoint.port,
            user: &account.user,
        });
        if let Some(text) = account.caution() {
            reporter.tell(&Event::Caution {
                side: account.side,
                text,
            });
        }
    }
}

/// The account that the ledger knows the mail by.
fn account_name(job: &Job) -> AccountName {
    AccountName::new(&job.remote.endpoint.host, &job.remote.user)
}
