// SPDX-License-Identifier: GPL-3.0-or-later
//! Starting runs: the supervisor does it, and is followed; without one the run is this very process.

use std::cell::RefCell;
use std::os::unix::process::CommandExt as _;
use std::process::{ExitCode, Stdio};

use ns8_imapsync::supervisor::client::{Client, Followed};
use ns8_imapsync::supervisor::entry::Origin;
use ns8_imapsync::supervisor::message::{Answer, DEBUG, Request, SETTINGS, Stream};
use ns8_imapsync::sync::account::Failure;
use ns8_imapsync::sync::exit_code::Exit;
use ns8_imapsync::sync::instance;
use ns8_imapsync::sync::run::{Settings, progress_bar};
use ns8_imapsync::task::{Store, TaskName};

use super::run::run_end;
use super::say::{tell, tell_caller, tell_run_end};
use super::stop::halt;
use super::{Done, existing, failed};

/// How runs are started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// They are not followed to their ends.
    pub detach: bool,
    /// Each writes `NAME.trace`.
    pub debug: bool,
    /// When they may begin, in seconds since 1970.
    pub at: Option<i64>,
}

/// Starts runs.
pub(super) fn start(store: &Store, names: &[String], mode: Mode) -> Done {
    let (tasks, all) = existing(store, names)?;
    let started = match (Client::connect(store).map_err(failed)?, tasks.as_slice()) {
        (_, []) => ExitCode::SUCCESS,
        (Some(client), tasks) => {
            let detach = mode.detach || instance::is_cron_line();
            hand_over(store, client, tasks, Mode { detach, ..mode })?
        }
        (None, _) if mode.detach => {
            return Err(failed(
                "there is no supervisor to hand a task over to; start it without --detach",
            ));
        }
        (None, [name]) => {
            let mut settings = Settings::of_instance();
            settings.debug |= mode.debug;
            let end = run_end(store, name, &settings, progress_bar::watcher());
            tell_run_end(&end);
            ExitCode::from(end.exit_code)
        }
        (None, tasks) => start_each(tasks, mode.debug)?,
    };
    Ok(if all { started } else { ExitCode::FAILURE })
}

/// What has been heard of runs that were handed over.
#[derive(Default)]
struct Heard {
    accepted: usize,
    codes: Vec<u8>,
    failure: Option<String>,
}

/// Hands tasks over to the supervisor, which says to the journal what there is to say.
fn hand_over(store: &Store, client: Client, tasks: &[TaskName], mode: Mode) -> Done {
    let Mode { detach, debug, at } = mode;
    let scheduled = instance::started_by_cron();
    let own = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
    let trace = debug.then(|| (DEBUG.to_owned(), "1".to_owned()));
    let request = Request::Start {
        tasks: tasks.to_vec(),
        origin: if scheduled {
            Origin::Schedule
        } else {
            Origin::Manual
        },
        settings: SETTINGS.iter().filter_map(own).chain(trace).collect(),
        follow: !detach,
        not_before: at,
    };
    let single = match tasks {
        [name] if !detach => Some(name),
        _ => None,
    };
    let bar = RefCell::new(single.and_then(|_| progress_bar::watcher()));
    let mut heard = Heard::default();
    let each = |answer| match answer {
        Answer::Accepted { task, paused } => {
            heard.accepted += 1;
            if paused {
                let says = format!("{task}: waits, since runs are paused; syncctl resume ends that");
                tell_caller(&says, Stream::Errors);
            }
        }
        // Cron says this every few minutes of a long run: the journal need not hear it.
        Answer::AlreadyRunning { task } => tell_caller(&format!("{task}: already running"), Stream::Output),
        Answer::Ended { end, .. } => {
            // The bar goes before the line that remains.
            bar.borrow_mut().take();
            tell_caller(&end.says, end.stream);
            heard.codes.push(end.exit_code);
        }
        Answer::Failed { why } => heard.failure = Some(why),
        Answer::Stopped { .. } | Answer::Fine => {}
    };
    let look = || {
        if let (Some(name), Some(bar)) = (single, bar.borrow().as_ref())
            && let Some(progress) = store.progress(name)
        {
            bar(&progress);
        }
    };
    let followed = match detach {
        true => client.ask(&request, each).map(|()| Followed::ToTheEnd),
        false => client.follow(&request, each, look),
    };
    drop(bar);
    conclude(store, single, detach, followed.map_err(failed)?, heard)
}

/// What comes of it.
fn conclude(
    store: &Store,
    single: Option<&TaskName>,
    detach: bool,
    followed: Followed,
    heard: Heard,
) -> Done {
    if let Some(why) = heard.failure {
        return Err(failed(why));
    }
    let stopped = ExitCode::from(Exit::Stopped.code());
    match (followed, single) {
        // A run that somebody else had started goes on.
        (Followed::Told, Some(name)) if heard.accepted > 0 => {
            halt(store, std::slice::from_ref(name))?;
            return Ok(stopped);
        }
        (Followed::Told, _) => return Ok(stopped),
        (Followed::ToTheEnd, _) => {}
    }
    if !detach && heard.codes.len() < heard.accepted {
        return Err(gone());
    }
    Ok(match (single, heard.codes.as_slice()) {
        (Some(_), [code]) => ExitCode::from(*code),
        (_, codes) => ExitCode::from(u8::from(codes.iter().any(|code| *code != 0))),
    })
}

fn gone() -> Failure {
    failed(
        "the supervisor was ended by force; what was handed over to it goes on by itself after its next start",
    )
}

/// Starts many runs, each in its own process, and waits for their ends.
fn start_each(names: &[TaskName], debug: bool) -> Done {
    let program = std::env::current_exe().map_err(failed)?;
    let mut runs = vec![];
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let run = std::process::Command::new(&program)
            .arg0("syncctl")
            .arg("start")
            .args(debug.then_some("--debug"))
            .args(["--", name.as_str()])
            .stdin(Stdio::null())
            .process_group(0)
            .spawn();
        match run {
            Ok(run) => runs.push(run),
            Err(error) => {
                tell(
                    &format!("syncctl: {name} cannot be started: {error}"),
                    Stream::Errors,
                );
                code = ExitCode::FAILURE;
            }
        }
    }
    for mut run in runs {
        if !run.wait().map_err(failed)?.success() {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
