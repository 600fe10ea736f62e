// SPDX-License-Identifier: GPL-3.0-or-later
//! The program: a table of applets. The agent, the shell and the container run it under many names.
//!
//! [`common::frame`] is what surrounds an action: JSON in, JSON out, refusals and failures.

mod assess_batch;
mod begin_sign_in;
mod browse_folders;
mod check_domains;
mod clone_module;
mod common;
mod compare_again;
mod complete_sign_in;
mod configure_module;
mod confirm_deletions;
mod create_module;
mod create_task;
mod delete_source;
mod delete_task;
mod expand_cron;
mod get_batch;
mod get_batch_report;
mod get_configuration;
mod get_facts;
mod get_history;
mod get_job;
mod get_log;
mod get_progress;
mod get_verification;
mod import_csv_tasks;
mod import_module;
mod import_tasks;
mod list_folders;
mod list_informations;
mod list_sources;
mod list_tasks;
mod mail_settings_changed;
mod module_state;
mod preview_task;
mod publish_metrics;
mod restore_module;
mod resume_schedules;
mod reveal_master_secret;
mod run_imapsync;
mod save_source;
mod set_batch_step;
mod start_all_tasks;
mod start_batch;
mod start_task;
mod stop_all_tasks;
mod stop_batch_job;
mod stop_job;
mod stop_task;
mod syncctl;
mod test_source;
mod update_module;
mod update_tasks;
mod validate_task;
mod verify_batch;
mod verify_task;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use common::applet::Applet;
pub use common::fields::facts::{FieldFacts, ValueWords};
pub use common::schema::Schemas;

const PROGRAM: &str = "ns8-imapsync";

/// All applets, in the order of `--list`.
static APPLETS: &[Applet] = &[
    Applet::action::<configure_module::ConfigureModule>(),
    Applet::action::<get_configuration::GetConfiguration>(),
    Applet::action::<create_task::CreateTask>(),
    Applet::action::<validate_task::ValidateTask>(),
    Applet::action::<browse_folders::BrowseFolders>(),
    Applet::action::<list_folders::ListFolders>(),
    Applet::action::<import_tasks::ImportTasks>(),
    Applet::action::<update_tasks::UpdateTasks>(),
    Applet::action::<compare_again::CompareAgain>(),
    Applet::action::<confirm_deletions::ConfirmDeletions>(),
    Applet::action::<delete_task::DeleteTask>(),
    Applet::action::<start_task::StartTask>(),
    Applet::action::<stop_task::StopTask>(),
    Applet::action::<start_all_tasks::StartAllTasks>(),
    Applet::action::<stop_all_tasks::StopAllTasks>(),
    Applet::action::<resume_schedules::ResumeSchedules>(),
    Applet::action::<list_tasks::ListTasks>(),
    Applet::action::<list_informations::ListInformations>(),
    Applet::action::<preview_task::PreviewTask>(),
    Applet::action::<verify_task::VerifyTask>(),
    Applet::action::<get_batch::GetBatch>(),
    Applet::action::<assess_batch::AssessBatch>(),
    Applet::action::<start_batch::StartBatch>(),
    Applet::action::<set_batch_step::SetBatchStep>(),
    Applet::action::<check_domains::CheckDomains>(),
    Applet::action::<verify_batch::VerifyBatch>(),
    Applet::action::<stop_batch_job::StopBatchJob>(),
    Applet::action::<get_batch_report::GetBatchReport>(),
    Applet::action::<get_verification::GetVerification>(),
    Applet::action::<get_progress::GetProgress>(),
    Applet::action::<get_job::GetJob>(),
    Applet::action::<stop_job::StopJob>(),
    Applet::action::<get_log::GetLog>(),
    Applet::action::<get_history::GetHistory>(),
    Applet::action::<get_facts::GetFacts>(),
    Applet::action::<save_source::SaveSource>(),
    Applet::action::<list_sources::ListSources>(),
    Applet::action::<delete_source::DeleteSource>(),
    Applet::action::<test_source::TestSource>(),
    Applet::action::<begin_sign_in::BeginSignIn>(),
    Applet::action::<complete_sign_in::CompleteSignIn>(),
    Applet::platform_action::<create_module::CreateModule>(),
    Applet::platform_action::<restore_module::RestoreModule>(),
    Applet::platform_action::<clone_module::CloneModule>(),
    Applet::platform_action::<import_module::ImportModule>(),
    Applet::event::<mail_settings_changed::MailSettingsChanged>(),
    Applet::helper(
        "grant-actions",
        "Grants again what create-module granted, after an update",
        update_module::arguments,
        update_module::grant,
    ),
    Applet::helper(
        "restart-service",
        "Starts the new image, after an update",
        update_module::arguments,
        update_module::restart,
    ),
    Applet::helper(
        "reveal-master-secret",
        "Asks the mail module for its master user's password",
        reveal_master_secret::arguments,
        reveal_master_secret::run,
    ),
    Applet::helper(
        "module-dump-state",
        "Copies the databases for a backup",
        module_state::arguments,
        module_state::dump,
    ),
    Applet::helper(
        "module-cleanup-state",
        "Removes the copies for a backup",
        module_state::arguments,
        module_state::clean_up,
    ),
    Applet::helper(
        "publish-metrics",
        "Tells the cluster where the metrics of the instance are",
        publish_metrics::arguments,
        publish_metrics::run,
    ),
    Applet::helper(
        "expand-cron",
        "Rebuilds the cron files of all tasks",
        expand_cron::arguments,
        expand_cron::run,
    ),
    Applet::helper(
        "run-imapsync",
        "Starts or stops the run of a task",
        run_imapsync::arguments,
        run_imapsync::run,
    ),
    Applet::helper(
        "import-csv-tasks",
        "Creates or edits the tasks of a CSV file, or only tests them",
        import_csv_tasks::arguments,
        import_csv_tasks::run,
    ),
    Applet::helper(
        "syncctl",
        "Runs and inspects tasks inside the container",
        syncctl::arguments,
        syncctl::run,
    ),
];

/// Runs the applet that argv names.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    if let Some(applet) = applet_of_path(&called) {
        return applet.run(&words);
    }
    match words.split_first() {
        Some((first, rest)) if first.to_str().is_some_and(|name| applet(name).is_some()) => first
            .to_str()
            .and_then(applet)
            .map_or(ExitCode::FAILURE, |applet| applet.run(rest)),
        _ => own_options(&words),
    }
}

/// The actions that have schemas, with the JSON Schema of their input and of their output.
pub fn schemas() -> impl Iterator<Item = (&'static str, Schemas)> {
    APPLETS
        .iter()
        .filter_map(|applet| Some((applet.name(), applet.schemas()?)))
}

/// The fields of a task that an administrator fills in.
pub fn fields() -> impl Iterator<Item = FieldFacts> {
    common::fields::facts::all()
}

/// What the values of fields are called in a file.
pub const VALUE_WORDS: ValueWords = common::fields::facts::VALUE_WORDS;

/// The words that a program of the table understands, and its help.
pub fn command(name: &str) -> Option<Command> {
    applet(name).map(Applet::command)
}

fn applet(name: &str) -> Option<&'static Applet> {
    APPLETS.iter().find(|applet| applet.name() == name)
}

/// The applet that a path names: `…/actions/create-task/20create-task` is `create-task`. Digits in front
/// order the steps of an action; a name that has some of its own is tried first.
fn applet_of_path(path: &OsStr) -> Option<&'static Applet> {
    let name = Path::new(path).file_name()?.to_str()?;
    applet(name).or_else(|| applet(name.trim_start_matches(|c: char| c.is_ascii_digit())))
}

fn own_options(words: &[OsString]) -> ExitCode {
    let command = Command::new(PROGRAM)
        .about("The actions, helpers and in-container program of the NethServer 8 module imapsync")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Run it under the name of an applet, or give the applet as first argument; see --list.")
        .override_usage(format!("{PROGRAM} APPLET [OPTIONS]\n       {PROGRAM} --list"))
        .arg_required_else_help(true)
        .arg(
            Arg::new("list")
                .long("list")
                .help("Prints the applets")
                .action(ArgAction::SetTrue),
        )
        .arg(Arg::new("applet").hide(true));
    let words = std::iter::once(OsString::from(PROGRAM)).chain(words.iter().cloned());
    match command.try_get_matches_from(words) {
        Ok(matches) => match matches.get_one::<String>("applet") {
            Some(unknown) => {
                ns8_imapsync::agent::journal::error(format_args!(
                    "there is no applet {unknown}; see {PROGRAM} --list"
                ));
                ExitCode::from(2)
            }
            None => list(),
        },
        Err(error) => common::applet::usage(&error),
    }
}

fn list() -> ExitCode {
    let lines: String = APPLETS
        .iter()
        .map(|applet| format!("{:<22} {}\n", applet.name(), applet.about()))
        .collect();
    match io::stdout().write_all(lines.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_path_names_its_applet() {
        let name = |path: &str| applet_of_path(OsStr::new(path)).map(Applet::name);
        assert_eq!(
            name("/home/imapsync1/.config/actions/create-task/20create-task"),
            Some("create-task")
        );
        assert_eq!(name("list-tasks"), Some("list-tasks"));
        for path in [
            "ns8-imapsync",
            "50something",
            "20",
            "",
            "/",
            "create-task20",
            "x20create-task",
        ] {
            assert_eq!(name(path), None, "{path}");
        }
    }

    #[test]
    fn names_are_unique_and_never_start_with_a_digit() {
        for (index, one) in APPLETS.iter().enumerate() {
            assert!(!one.name().starts_with(|c: char| c.is_ascii_digit()));
            assert!(
                APPLETS[index + 1..]
                    .iter()
                    .all(|other| other.name() != one.name())
            );
        }
    }

    #[test]
    fn every_action_has_its_step() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../imageroot/actions");
        for applet in APPLETS.iter().filter(|applet| applet.schemas().is_some()) {
            let entries = std::fs::read_dir(folder.join(applet.name())).unwrap();
            let steps: Vec<PathBuf> = entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_symlink())
                .collect();
            assert_eq!(steps.len(), 1, "{}", applet.name());
            assert_eq!(
                std::fs::read_link(&steps[0]).unwrap(),
                Path::new("../../bin/ns8-imapsync")
            );
            assert_eq!(
                applet_of_path(steps[0].as_os_str()).unwrap().name(),
                applet.name()
            );
        }
    }
}
