// SPDX-License-Identifier: GPL-3.0-or-later
//! `syncctl`, the program of the container: start, stop, status, validation, list-informations, list-folders, verify.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};
use ns8_imapsync::control::metrics;
use ns8_imapsync::imap;
use ns8_imapsync::secret::{ROOM, SecretText, Zeroizing};
use ns8_imapsync::source::Sources;
use ns8_imapsync::sync::Engine;
use ns8_imapsync::sync::access::Access;
use ns8_imapsync::sync::account::{Account, Failure, RemoteServer, accepted};
use ns8_imapsync::sync::exit_code::Exit;
use ns8_imapsync::sync::folder_mapping::Selection;
use ns8_imapsync::sync::inspect::count;
use ns8_imapsync::sync::inspect::login_test::{self, LoginTest};
use ns8_imapsync::sync::inspect::source_test;
use ns8_imapsync::sync::inspect::verify;
use ns8_imapsync::sync::instance::{in_container, setting};
use ns8_imapsync::sync::job::assembly;
use ns8_imapsync::sync::job::assembly::Destination;
use ns8_imapsync::sync::run::finish;
use ns8_imapsync::sync::run::progress_bar;
use ns8_imapsync::sync::run::stop;
use ns8_imapsync::sync::run::{self, Outcome, Settings};
use ns8_imapsync::sync::runtime;
use ns8_imapsync::task::{
    Exclusions, FolderMode, FolderOptions, Layout, LocalUser, Port, RemoteHost, RemoteUser, Security,
    SourceId, Store, TaskName, Trust, parse_password,
};
use ns8_imapsync::text::printable;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::common::applet::usage;
use crate::common::metrics_server;

#[derive(Args)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs a task in the foreground until its end; several tasks, each in a process of its own
    Start {
        /// Prints as JSON what the run of one task would do, and does nothing
        #[arg(long)]
        dry_run: bool,
        /// The task, <localuser>_<task_id>
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Stops a running task and waits until it is gone
    Stop {
        /// The task, <localuser>_<task_id>
        name: String,
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
pub fn arguments(command: Command) -> Command {
    Arguments::augment_args(command)
}

/// Runs one verb.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let arguments = match Arguments::from_arg_matches(matches) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let folder =
        std::env::var_os("IMAPSYNC_DIR").map_or_else(|| PathBuf::from("/etc/imapsync"), PathBuf::from);
    let store = Store::new(Layout::in_container(&folder));
    let done = match arguments.verb {
        Verb::Start { names, dry_run } => match (names.as_slice(), dry_run) {
            ([name], true) => named(name).and_then(|name| preview(&store, &name)),
            ([name], false) => named(name).and_then(|name| start(&store, &name)),
            (_, true) => Err(failed("a dry run is of one task")),
            (names, false) => start_each(names),
        },
        Verb::Verify { name, deep } => named(&name).and_then(|name| compare(&store, &name, deep)),
        Verb::Stop { name } => named(&name).and_then(|name| halt(&store, &name)),
        Verb::Status { name } => named(&name).and_then(|name| status(&store, &name)),
        Verb::Validation { name } => validation(&store, &name),
        Verb::ListInformations { name } => named(&name).and_then(|name| informations(&store, &name)),
        Verb::ListFolders { name } => list_folders(&store, &name),
        Verb::TestSource => test_source(&store),
        Verb::Engine => engine(),
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

fn start(store: &Store, name: &TaskName) -> Done {
    known(store, name)?;
    let settings = Settings::of_instance();
    match run::run(
        store,
        name,
        destination().as_ref(),
        &settings,
        progress_bar::watcher(),
    )? {
        // Cron says this every few minutes of a long run: the journal need not hear it.
        Outcome::AlreadyRunning => print(&format!("{name}: already running")),
        Outcome::Paused => print(&format!(
            "{name}: the schedule pauses, since the login was refused again and again; edit the task, or start it by hand"
        )),
        Outcome::OnHold => print(&format!("{name}: the schedule waits until somebody resumes it")),
        Outcome::Ended { exit, report } => {
            // The journal takes what comes by the second stream for errors, which administrators look for.
            let journal = match exit {
                Exit::Ok | Exit::Stopped => Stream::Output,
                _ => Stream::Errors,
            };
            tell_both(&finish::summary(name, &report), Stream::Output, journal);
            Ok(ExitCode::from(exit.code()))
        }
    }
}

/// Starts many runs, each in a process of its own, and waits for their ends.
fn start_each(names: &[String]) -> Done {
    let program = std::env::current_exe().map_err(failed)?;
    let mut runs = vec![];
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let run = std::process::Command::new(&program)
            .arg0("syncctl")
            .args(["start", "--", name])
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

/// Refuses a name that no task has.
fn known(store: &Store, name: &TaskName) -> Result<(), Failure> {
    match store.path(name, "env").exists() || store.is_busy(name).map_err(failed)? {
        true => Ok(()),
        false => Err(assembly::missing(format!("there is no task {name}"))),
    }
}

fn preview(store: &Store, name: &TaskName) -> Done {
    answer(run::preview(store, name, destination().as_ref()), |_| {
        ExitCode::SUCCESS
    })
}

/// Exit code 0 only when both sides agree.
fn compare(store: &Store, name: &TaskName, deep: bool) -> Done {
    let compared = (|| {
        let task = assembly::load(store, name)?;
        let job = assembly::job(store, name, &task, destination().as_ref())?;
        let known = run::known_folders(store, &task, &job);
        runtime::ask(verify::verify(
            &job.remote,
            &job.local,
            &job.selection,
            &known,
            deep,
        ))
        .map_err(failed)?
    })();
    answer(compared, |report| ExitCode::from(u8::from(!report.agree)))
}

/// Prints an answer, or why there is none: as JSON for the page, as a sentence for people.
fn answer<T: serde::Serialize>(answer: Result<T, Failure>, code: impl Fn(&T) -> ExitCode) -> Done {
    match answer {
        Ok(answer) => {
            print_json(&answer)?;
            Ok(code(&answer))
        }
        Err(failure) => {
            let status = failure
                .key
                .map_or_else(|| "failed".to_owned(), |key| key.to_string());
            print_json(&json!({"status": status, "message": failure.message}))?;
            Err(failure)
        }
    }
}

fn halt(store: &Store, name: &TaskName) -> Done {
    known(store, name)?;
    stop::stop(store, name).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

fn status(store: &Store, name: &TaskName) -> Done {
    known(store, name)?;
    let running = store.is_busy(name).map_err(failed)?;
    print(if running { "Running" } else { "Stopped" })
}

fn engine() -> Done {
    let engine = Engine::choose(Settings::of_instance().engine.as_deref())?;
    print_json(&json!({"engine": engine.name(), "version": engine.version()?}))
}

fn validation(store: &Store, name: &str) -> Done {
    let (remote, local) = if name == "-" {
        let candidate = read_json::<Candidate>("a candidate task")?;
        let remote = candidate.remote.account(store)?;
        let local = candidate
            .local
            .ok_or_else(|| failed("the field local is missing"))?;
        let user = LocalUser::parse(&local.user).map_err(failed)?;
        (
            remote,
            assembly::local_server(store, destination().as_ref()).map(|server| Account::local(&user, server)),
        )
    } else {
        let name = named(name)?;
        let task = assembly::load(store, &name)?;
        let server = assembly::local_server(store, destination().as_ref());
        (
            remote_of(store, &name)?,
            server.map(|server| Account::local(&task.local_user, server)),
        )
    };
    let findings = runtime::ask(login_test::check(&remote, local.as_ref())).map_err(failed)?;
    if let Some(pin) = local.as_ref().ok().and_then(Account::local_pin) {
        pin.save(store).map_err(failed)?;
    }
    print_json(&findings)
}

fn informations(store: &Store, name: &TaskName) -> Done {
    let counted = assembly::load(store, name)
        .and_then(|task| Ok((assembly::job(store, name, &task, destination().as_ref())?, task)))
        .and_then(|(job, task)| {
            let known = run::known_folders(store, &task, &job);
            let counting = count::count(&job.remote, &job.local, &job.selection, &known);
            runtime::ask(counting).map_err(failed)?
        });
    match counted {
        Ok(figures) => print_json(&figures),
        Err(failure) => {
            tell(&format!("syncctl: {}", failure.message), Stream::Errors);
            print_json(&json!({"status": false}))
        }
    }
}

fn list_folders(store: &Store, name: &str) -> Done {
    let listed = (|| {
        let (remote, selection) = if name == "-" {
            let candidate = read_json::<Candidate>("a candidate task")?;
            (candidate.remote.account(store)?, candidate.selection()?)
        } else {
            let name = named(name)?;
            let task = assembly::load(store, &name)?;
            let excluded = task.exclusions.matchers().map_err(failed)?;
            let options = store.options(&name).folders;
            (
                remote_of(store, &name)?,
                Selection {
                    mode: task.folders,
                    excluded,
                    options,
                },
            )
        };
        runtime::ask(count::list_folders(&remote, &selection)).map_err(failed)?
    })();
    match listed {
        Ok(list) => print_json(&list),
        Err(failure) => {
            let finding = LoginTest::failed(&failure);
            print_json(&json!({"status": finding.status, "message": finding.message}))
        }
    }
}

fn test_source(store: &Store) -> Done {
    let question: SourceQuestion = read_json("a question about a source")?;
    let id = SourceId::parse(&question.source).map_err(failed)?;
    let mailbox = RemoteUser::parse(&question.mailbox).map_err(failed)?;
    let source = Sources::of(store).load(&id).map_err(failed)?;
    let user = source.login(&mailbox).map_err(failed)?;
    let password = parse_password(question.password.expose()).map_err(failed)?;
    let server = RemoteServer {
        host: &source.host,
        port: source.port,
        security: source.security,
        // What opens many mailboxes is shown to nobody that nothing is known of.
        trust: match &source.certificate {
            Some(pin) => accepted(&Trust::Pinned(pin.clone())),
            None => imap::Trust::Ask,
        },
    };
    let access = Access::of_source(store, &id, &user, password)?;
    let account = Account::remote(&server, &user, access);
    print_json(&runtime::ask(source_test::test(&source, &account)).map_err(failed)?)
}

fn remote_of(store: &Store, name: &TaskName) -> Result<Account, Failure> {
    let task = assembly::load(store, name)?;
    let server = RemoteServer::of(&task, &store.options(name));
    Ok(Account::remote(
        &server,
        &task.remote_user,
        Access::of_task(store, &task)?,
    ))
}

/// Reads JSON from stdin that may hold a secret.
fn read_json<T: DeserializeOwned>(what: &str) -> Result<T, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    std::io::stdin()
        .take(1024 * 1024)
        .read_to_string(&mut text)
        .map_err(failed)?;
    // What serde says may repeat a value, which may be the secret.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        failed(format!("stdin is not {what} (line {line}, column {column})"))
    })
}

/// Which source is to be tested, with which mailbox. It holds a password, hence no `Debug`.
#[derive(Deserialize)]
struct SourceQuestion {
    source: String,
    mailbox: String,
    password: SecretText,
}

/// A task that is not written yet. It holds a password, hence no `Debug`.
#[derive(Deserialize)]
struct Candidate {
    remote: RemoteFields,
    local: Option<LocalFields>,
    foldersynchronization: Option<String>,
    exclude: Option<String>,
}

#[derive(Deserialize)]
struct RemoteFields {
    host: String,
    port: Port,
    security: String,
    user: String,
    password: SecretText,
    /// Which certificate is accepted.
    #[serde(default, rename = "certificate")]
    trust: Trust,
    /// A server that nothing is known of is shown before it gets the password.
    #[serde(default)]
    confirm_certificate: bool,
    source: Option<String>,
}

#[derive(Deserialize)]
struct LocalFields {
    user: String,
}

impl Candidate {
    fn selection(&self) -> Result<Selection, Failure> {
        let mode =
            FolderMode::parse(self.foldersynchronization.as_deref().unwrap_or("all")).map_err(failed)?;
        let exclusions = Exclusions::parse(self.exclude.as_deref().unwrap_or_default()).map_err(failed)?;
        Ok(Selection {
            mode,
            excluded: exclusions.matchers().map_err(failed)?,
            options: FolderOptions::default(),
        })
    }
}

impl RemoteFields {
    fn account(&self, store: &Store) -> Result<Account, Failure> {
        let host = RemoteHost::parse(&self.host).map_err(failed)?;
        let user = RemoteUser::parse(&self.user).map_err(failed)?;
        let security = Security::parse(&self.security).map_err(failed)?;
        let password = parse_password(self.password.expose()).map_err(failed)?;
        let server = RemoteServer {
            host: &host,
            port: self.port,
            security,
            trust: match (&self.trust, self.confirm_certificate) {
                (Trust::Unknown, true) => imap::Trust::Ask,
                (known, _) => accepted(known),
            },
        };
        let access = match &self.source {
            Some(id) => {
                let id = SourceId::parse(id).map_err(failed)?;
                Access::of_source(store, &id, &user, password)?
            }
            None => Access::password(&user, password),
        };
        Ok(Account::remote(&server, &user, access))
    }
}

fn print(text: &str) -> Done {
    writeln!(std::io::stdout().lock(), "{text}").map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

fn print_json(value: &impl serde::Serialize) -> Done {
    print(&serde_json::to_string(value).map_err(failed)?)
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Errors,
}

/// Says something to whoever called and, where that is no terminal, to the output of the container's main process,
/// which is the journal (contract section 5).
fn tell(text: &str, stream: Stream) {
    tell_both(text, stream, stream);
}

/// The same with another stream of the journal.
fn tell_both(text: &str, stream: Stream, journal: Stream) {
    let text = printable(text);
    let watched = match stream {
        Stream::Output => std::io::stdout().is_terminal(),
        Stream::Errors => std::io::stderr().is_terminal(),
    };
    let journal = match journal {
        Stream::Output => "/proc/1/fd/1",
        Stream::Errors => "/proc/1/fd/2",
    };
    // Whoever has closed either does not want to know.
    if !watched
        && in_container()
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(journal)
    {
        let _ = writeln!(file, "{text}");
    }
    let _ = match stream {
        Stream::Output => writeln!(std::io::stdout().lock(), "{text}"),
        Stream::Errors => writeln!(std::io::stderr().lock(), "{text}"),
    };
}
