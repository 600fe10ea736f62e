// SPDX-License-Identifier: GPL-3.0-or-later
//! The verbs that ask mail servers, or about a run that does not take place.

use std::process::ExitCode;

use ns8_imapsync::imap;
use ns8_imapsync::secret::SecretText;
use ns8_imapsync::source::Sources;
use ns8_imapsync::supervisor::message::Stream;
use ns8_imapsync::sync::Engine;
use ns8_imapsync::sync::access::Access;
use ns8_imapsync::sync::account::{Account, Failure, RemoteServer, accepted};
use ns8_imapsync::sync::folder_mapping::Selection;
use ns8_imapsync::sync::inspect::assess;
use ns8_imapsync::sync::inspect::candidate::Candidate;
use ns8_imapsync::sync::inspect::count;
use ns8_imapsync::sync::inspect::login_test::{self, LoginTest};
use ns8_imapsync::sync::inspect::source_test;
use ns8_imapsync::sync::inspect::verify;
use ns8_imapsync::sync::job::assembly;
use ns8_imapsync::sync::run::{self, Settings};
use ns8_imapsync::sync::runtime;
use ns8_imapsync::task::{RemoteUser, SourceId, Store, TaskName, Trust, parse_password};
use serde::Deserialize;
use serde_json::json;

use super::say::{print_json, tell};
use super::stdin::read_json;
use super::{Done, destination, failed, named};

/// Prints what a run would do, and does nothing.
pub(super) fn preview(store: &Store, name: &TaskName) -> Done {
    answer(run::preview(store, name, destination().as_ref()), |_| {
        ExitCode::SUCCESS
    })
}

/// Compares both sides; exit code 0 only when they agree.
pub(super) fn compare(store: &Store, name: &TaskName, deep: bool) -> Done {
    let compared = (|| {
        let task = assembly::load(store, name)?;
        let job = assembly::job(store, name, &task, destination().as_ref())?;
        let known = run::known_folders(store, &task, &job)?;
        let records = run::recorded(store, &task, &job)?;
        runtime::ask(verify::verify(
            &job.remote,
            &job.local,
            &job.selection,
            &known,
            &records,
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

/// Tells which engine runs use, and its version.
pub(super) fn engine() -> Done {
    let engine = Engine::choose(Settings::of_instance().engine.as_deref())?;
    print_json(&json!({"engine": engine.name(), "version": engine.version()?}))
}

/// Tests both logins of a task or of a candidate.
pub(super) fn validation(store: &Store, name: &str) -> Done {
    let (remote, local) = if name == "-" {
        let candidate = read_json::<Candidate>("a candidate task")?;
        let remote = candidate.remote.account(store)?;
        let user = candidate.local_user()?;
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

/// Counts folders, messages and bytes on both sides.
pub(super) fn informations(store: &Store, name: &TaskName) -> Done {
    let counted = assembly::load(store, name)
        .and_then(|task| Ok((assembly::job(store, name, &task, destination().as_ref())?, task)))
        .and_then(|(job, task)| {
            let known = run::known_folders(store, &task, &job)?;
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

/// Looks at both sides before a move.
pub(super) fn assess(store: &Store, name: &TaskName) -> Done {
    let assessed = (|| {
        let task = assembly::load(store, name)?;
        let job = assembly::job(store, name, &task, destination().as_ref())?;
        let known = run::known_folders(store, &task, &job)?;
        runtime::ask(assess::assess(&job.remote, &job.local, &job.selection, &known)).map_err(failed)
    })();
    answer(assessed, |_| ExitCode::SUCCESS)
}

/// Lists the remote folders of a task or of a candidate.
pub(super) fn list_folders(store: &Store, name: &str) -> Done {
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

/// Tests a source with one mailbox.
pub(super) fn test_source(store: &Store) -> Done {
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
        // What opens many mailboxes is shown to no one that nothing is known of.
        trust: match &source.certificate {
            Some(pin) => accepted(&Trust::Pinned(pin.clone())),
            None => imap::Trust::Ask,
        },
    };
    let access = Access::of_source(store, &id, &user, password)?;
    let mut account = Account::remote(&server, &user, access);
    account.reach_as(&source);
    print_json(&runtime::ask(source_test::test(&source, &account)).map_err(failed)?)
}

fn remote_of(store: &Store, name: &TaskName) -> Result<Account, Failure> {
    let task = assembly::load(store, name)?;
    assembly::remote(store, &task, &store.options(name))
}

/// Which source is to be tested, with which mailbox. It holds a password, hence no `Debug`.
#[derive(Deserialize)]
struct SourceQuestion {
    source: String,
    mailbox: String,
    password: SecretText,
}
