// SPDX-License-Identifier: GPL-3.0-or-later
//! `syncctl`, the program of the container: one file for each kind of verbs.
//!
//! - [`start`], [`stop`]: by way of the supervisor, or without one
//! - [`run`]: one run, in this process
//! - [`service`]: the supervisor itself, pause, health
//! - [`questions`]: what asks mail servers; [`stdin`]: JSON, as of a task that is not written yet
//! - [`say`]: who hears what

mod questions;
mod run;
mod say;
mod service;
mod start;
mod stdin;
mod stop;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};
use ns8_imapsync::control::metrics;
use ns8_imapsync::supervisor::message::{Request, Stream};
use ns8_imapsync::supervisor::queue_file::Snapshot;
use ns8_imapsync::sync::account::Failure;
use ns8_imapsync::sync::instance::setting;
use ns8_imapsync::sync::job::assembly;
use ns8_imapsync::sync::job::assembly::Destination;
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::{Layout, Store, TaskName};

use self::say::{print, tell};
use self::start::Mode;
use crate::common::applet::usage;
use crate::common::metrics_server;

#[derive(Args)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs tasks, and follows them to their ends; Ctrl-C stops the run of a single one
    Start {
        /// Prints as JSON what the run of one task would do, and does nothing
        #[arg(long)]
        dry_run: bool,
        /// Hands the tasks over to the supervisor, and comes back
        #[arg(long, conflicts_with = "dry_run")]
        detach: bool,
        /// Has the supervisor start them at that time, in seconds since 1970, and comes back
        #[arg(long, value_name = "SECONDS", requires = "detach")]
        at: Option<i64>,
        /// Writes what the runs say to the servers and hear, without mail and secrets, to NAME.trace
        #[arg(long, conflicts_with = "dry_run")]
        debug: bool,
        /// The tasks, <localuser>_<task_id>
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Runs a task in this process, for the supervisor
    #[command(hide = true)]
    Run {
        /// Whether a schedule wants it
        #[arg(long)]
        scheduled: bool,
        /// The task, <localuser>_<task_id>
        name: String,
    },
    /// Stops tasks that run or wait, and waits until they are gone
    Stop {
        /// The tasks, <localuser>_<task_id>
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Starts no more runs until resume; those at work go on
    Pause,
    /// Starts runs again after pause
    Resume,
    /// Tells by the exit code whether the supervisor, crond and the queue are well
    Health,
    /// Is the supervisor of all runs, next to the command given, and ends when that ends
    Serve {
        /// The command, such as crond -f
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
    /// Prints Running or Stopped
    Status {
        /// The task, <localuser>_<task_id>
        name: String,
    },
    /// Tests the logins of a task, or of a candidate given as JSON on stdin
    Validation {
        /// The task, <localuser>_<task_id>, or - for stdin
        name: String,
    },
    /// Counts folders, messages and bytes on both sides
    ListInformations {
        /// The task, <localuser>_<task_id>
        name: String,
    },
    /// Looks at both sides before a move and prints as JSON what it would meet
    Assess {
        /// The task, <localuser>_<task_id>
        name: String,
    },
    /// Compares both sides message by message and prints as JSON what differs
    Verify {
        /// The task, <localuser>_<task_id>
        name: String,
        /// Compares every byte of every message
        #[arg(long)]
        deep: bool,
    },
    /// Lists the folders of the remote account of a task, or of a candidate given as JSON on stdin
    ListFolders {
        /// The task, <localuser>_<task_id>, or - for stdin
        name: String,
    },
    /// Tests a source with one mailbox, both given as JSON on stdin
    TestSource,
    /// Tells which engine runs use, and its version, as JSON
    Engine,
    /// Prints the metrics of the instance for Prometheus, or serves them over HTTP
    Metrics {
        /// Where to serve them, such as 0.0.0.0:9187
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
}

/// The verbs and what they act on.
pub(crate) fn arguments(command: Command) -> Command {
    Arguments::augment_args(command)
}

/// Runs one verb.
pub(crate) fn run(matches: &ArgMatches) -> ExitCode {
    let arguments = match Arguments::from_arg_matches(matches) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let folder =
        std::env::var_os("IMAPSYNC_DIR").map_or_else(|| PathBuf::from("/etc/imapsync"), PathBuf::from);
    let store = Store::new(Layout::in_container(&folder));
    let done = match arguments.verb {
        Verb::Start {
            names, dry_run: true, ..
        } => match names.as_slice() {
            [name] => named(name).and_then(|name| questions::preview(&store, &name)),
            _ => Err(failed("a dry run is of one task")),
        },
        Verb::Start {
            names,
            detach,
            debug,
            at,
            ..
        } => start::start(&store, &names, Mode { detach, debug, at }),
        Verb::Run { scheduled, name } => named(&name).and_then(|name| run::run(&store, &name, scheduled)),
        Verb::Pause => service::ask(&store, &Request::Pause),
        Verb::Resume => service::ask(&store, &Request::Resume),
        Verb::Health => service::ask(&store, &Request::Health),
        Verb::Serve { command } => service::serve(&store, &command),
        Verb::Verify { name, deep } => named(&name).and_then(|name| questions::compare(&store, &name, deep)),
        Verb::Stop { names } => stop::stop(&store, &names),
        Verb::Status { name } => named(&name).and_then(|name| status(&store, &name)),
        Verb::Validation { name } => questions::validation(&store, &name),
        Verb::ListInformations { name } => {
            named(&name).and_then(|name| questions::informations(&store, &name))
        }
        Verb::Assess { name } => named(&name).and_then(|name| questions::assess(&store, &name)),
        Verb::ListFolders { name } => questions::list_folders(&store, &name),
        Verb::TestSource => questions::test_source(&store),
        Verb::Engine => questions::engine(),
        Verb::Metrics { listen: None } => metrics::exposition(&store)
            .map_err(failed)
            .and_then(|text| print(text.trim_end())),
        Verb::Metrics {
            listen: Some(address),
        } => metrics_server::serve(store, address)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| failed(format!("cannot serve metrics at {address}: {error}"))),
    };
    done.unwrap_or_else(|failure| {
        tell(&format!("syncctl: {}", failure.message), Stream::Errors);
        ExitCode::from(failure.exit.code())
    })
}

type Done = Result<ExitCode, Failure>;

fn named(text: &str) -> Result<TaskName, Failure> {
    TaskName::parse(text).map_err(|error| assembly::missing(error.to_string()))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::local(error.to_string())
}

/// Where the local mail server is: from the container's environment or the cron file.
fn destination() -> Option<Destination> {
    let host = setting("MAIL_HOST")?;
    let port = setting("MAIL_PORT")
        .and_then(|port| port.parse().ok())
        .unwrap_or(143);
    Some(Destination { host, port })
}

/// Refuses a name that no task has.
fn known(store: &Store, name: &TaskName) -> Result<(), Failure> {
    match store.path(name, FileKind::Env).exists() || store.is_busy(name).map_err(failed)? {
        true => Ok(()),
        false => Err(assembly::missing(format!("there is no task {name}"))),
    }
}

/// Those of several tasks that there are, and whether that is all of them; what is wrong with the others is told.
fn existing(store: &Store, names: &[String]) -> Result<(Vec<TaskName>, bool), Failure> {
    let mut tasks = vec![];
    for text in names {
        match named(text).and_then(|name| known(store, &name).map(|()| name)) {
            Ok(name) => tasks.push(name),
            Err(failure) if names.len() == 1 => return Err(failure),
            Err(failure) => tell(&format!("syncctl: {}", failure.message), Stream::Errors),
        }
    }
    let all = tasks.len() == names.len();
    Ok((tasks, all))
}

fn status(store: &Store, name: &TaskName) -> Done {
    known(store, name)?;
    let running = store.is_busy(name).map_err(failed)? || Snapshot::read(store).entry(name).is_some();
    print(if running { "Running" } else { "Stopped" })
}
