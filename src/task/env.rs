// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.env`: what a task is, in the format of existing installations (contract section 4).

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use tera::Tera;

use super::{
    Exclusions, FolderMode, LocalUser, RemoteDeletion, RemoteHost, RemoteUser, Schedule, Security, Task,
    TaskId,
};

const TEMPLATE: &str = include_str!("templates/task.env");

/// The names that the template writes; any other one in a file is kept as it is.
const OURS: [&str; 15] = [
    "TASK_ID",
    "LOCALUSER",
    "REMOTEUSERNAME",
    "REMOTEHOSTNAME",
    "REMOTEPORT",
    "SECURITY",
    "DELETE_LOCAL",
    "DELETEFOLDER",
    "EXCLUDE",
    "DELETE_REMOTE",
    "SIEVE_ENABLED",
    "EXPUNGE_REMOTE",
    "CRON",
    "FOLDER_INBOX",
    "FOLDERSYNCHRONIZATION",
];

/// One `NAME=value` line that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Left of the first `=`.
    pub name: String,
    /// Right of it, unchanged.
    pub value: String,
}

/// The lines of a file that no one here knows; an edit keeps them.
pub type Kept = Vec<Entry>;

/// The text of `NAME.env`.
///
/// # Errors
/// When the template cannot be rendered, which a test rules out.
pub fn render(task: &Task, kept: &[Entry]) -> anyhow::Result<String> {
    let deletes_local = |option: &'static str| if task.delete_local { option } else { "" };
    let mut context = tera::Context::new();
    context.insert("task_id", task.id.as_str());
    context.insert("localuser", task.local_user.as_str());
    context.insert("remoteusername", task.remote_user.as_str());
    context.insert("remotehostname", task.remote_host.as_str());
    context.insert("remoteport", &task.remote_port.get());
    context.insert("security", task.security.as_option());
    context.insert("delete_local", deletes_local("--delete2"));
    context.insert("deletefolder", deletes_local("--delete2folders"));
    context.insert("exclude", &task.exclusions.as_stored());
    context.insert("delete_remote", &task.delete_remote.as_option());
    context.insert("sieve_enabled", if task.sieve { "1" } else { "" });
    context.insert(
        "expunge_remote",
        if task.delete_remote.deletes() {
            "--noexpungeaftereach"
        } else {
            ""
        },
    );
    context.insert(
        "cron",
        &task
            .schedule
            .map(|schedule| schedule.to_string())
            .unwrap_or_default(),
    );
    context.insert("folder_inbox", task.folders.as_option());
    context.insert("foldersynchronization", task.folders.as_str());
    context.insert("kept", kept);
    Tera::one_off(TEMPLATE, &context, false).context("cannot render the task file")
}

/// Reads the text of a `NAME.env`, from this or an older version.
///
/// Older files lack some names: `SIEVE_ENABLED`, or all that came after the first version. What is missing
/// is off; a missing folder mode follows from the other lines.
///
/// # Errors
/// Which line is missing or wrong. The text is never repeated: it may hold what does not belong in a log.
pub fn parse(text: &str) -> anyhow::Result<(Task, Kept)> {
    let entries = entries(text);
    let value = |name: &str| {
        entries
            .iter()
            .rev()
            .find(|entry| entry.name == name)
            .map(|entry| entry.value.as_str())
    };
    let required = |name: &'static str| value(name).ok_or_else(|| anyhow!("{name} is missing"));
    let optional = |name: &str| value(name).unwrap_or_default();

    let exclusions = Exclusions::from_stored(optional("EXCLUDE"));
    let folders = match value("FOLDERSYNCHRONIZATION") {
        Some(mode) if !mode.is_empty() => FolderMode::parse(mode).context("FOLDERSYNCHRONIZATION")?,
        _ if !optional("FOLDER_INBOX").is_empty() => FolderMode::Inbox,
        _ if !exclusions.patterns().is_empty() => FolderMode::Exclusion,
        _ => FolderMode::All,
    };
    let task = Task {
        id: TaskId::parse(required("TASK_ID")?).context("TASK_ID")?,
        local_user: LocalUser::parse(required("LOCALUSER")?).context("LOCALUSER")?,
        remote_user: RemoteUser::parse(required("REMOTEUSERNAME")?).context("REMOTEUSERNAME")?,
        remote_host: RemoteHost::parse(required("REMOTEHOSTNAME")?).context("REMOTEHOSTNAME")?,
        remote_port: required("REMOTEPORT")?.parse().context("REMOTEPORT")?,
        security: Security::from_option(optional("SECURITY")).context("SECURITY")?,
        folders,
        exclusions,
        delete_local: !optional("DELETE_LOCAL").is_empty(),
        delete_remote: RemoteDeletion::from_option(optional("DELETE_REMOTE")).context("DELETE_REMOTE")?,
        schedule: Schedule::parse(optional("CRON")).context("CRON")?,
        sieve: !optional("SIEVE_ENABLED").is_empty(),
    };
    let kept = entries
        .into_iter()
        .filter(|entry| !OURS.contains(&entry.name.as_str()))
        .collect();
    Ok((task, kept))
}

/// One value of a file that need not be whole, such as the schedule of a task that lacks everything else.
pub fn lookup(text: &str, name: &str) -> Option<String> {
    entries(text)
        .into_iter()
        .rev()
        .find(|entry| entry.name == name)
        .map(|entry| entry.value)
}

fn entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let (name, value) = line.trim_end_matches('\r').split_once('=')?;
        Some(Entry {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    };
    text.split('\n')
        .filter(|line| !line.starts_with('#'))
        .filter_map(entry)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_ends_of_other_systems_are_no_part_of_a_value() {
        for end in ["", "\n", "\r\n", "\r\r\r"] {
            assert_eq!(lookup(&format!("A=b{end}"), "A").as_deref(), Some("b"), "{end:?}");
        }
    }

    const RECORDED: &str = "\nTASK_ID=abc123\nLOCALUSER=u1\nREMOTEUSERNAME=r1@example.com\nREMOTEHOSTNAME=127.0.0.3\n\
        REMOTEPORT=143\nSECURITY=--tls1\nDELETE_LOCAL=--delete2\nDELETEFOLDER=--delete2folders\nEXCLUDE=,Work,Spam\n\
        DELETE_REMOTE=\nSIEVE_ENABLED=\nEXPUNGE_REMOTE=\nCRON=5m\nFOLDER_INBOX=\nFOLDERSYNCHRONIZATION=exclusion\n";

    #[test]
    fn a_recorded_file_is_read_and_written_byte_for_byte() {
        let (task, kept) = parse(RECORDED).unwrap();
        assert_eq!(task.name().as_str(), "u1_abc123");
        assert!(kept.is_empty());
        assert_eq!(render(&task, &kept).unwrap(), RECORDED);
    }

    #[test]
    fn the_inbox_and_remote_deletion_have_their_options() {
        let (mut task, _) = parse(RECORDED).unwrap();
        task.folders = FolderMode::Inbox;
        task.delete_remote = RemoteDeletion::from_fields(true, 30);
        task.sieve = true;
        let text = render(&task, &[]).unwrap();
        for line in [
            "FOLDER_INBOX=--folder\\ 'INBOX'\n",
            "DELETE_REMOTE=--delete1older=30\n",
            "EXPUNGE_REMOTE=--noexpungeaftereach\n",
            "SIEVE_ENABLED=1\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing in {text}");
        }
    }

    #[test]
    fn an_older_file_reads_as_everything_off() {
        let old = "TASK_ID=old001\nLOCALUSER=u1\nREMOTEUSERNAME=r\nREMOTEHOSTNAME=h\nREMOTEPORT=143\n\
                   SECURITY=--tls1\nDELETE_LOCAL=\nEXCLUDE=\nCRON=\n";
        let (task, _) = parse(old).unwrap();
        assert_eq!(
            (task.folders, task.sieve, task.delete_remote),
            (FolderMode::All, false, RemoteDeletion::Keep)
        );
    }

    #[test]
    fn unknown_names_are_kept_with_their_values() {
        let (task, kept) = parse(&format!("{RECORDED}SITE_NOTE=a=b \"c\"\n")).unwrap();
        assert_eq!(
            render(&task, &kept).unwrap(),
            format!("{RECORDED}SITE_NOTE=a=b \"c\"\n")
        );
    }

    #[test]
    fn a_file_cut_in_the_middle_says_what_is_missing() {
        let error = parse("\nTASK_ID=abc123\nLOCALUSER=u1\nREMOTEUS").unwrap_err();
        assert_eq!(error.to_string(), "REMOTEUSERNAME is missing");
        assert!(parse("").is_err());
        assert!(parse(&RECORDED.replace("143", "0")).is_err());
    }

    proptest! {
        #[test]
        fn any_login_name_survives_the_file(name in "[^\\p{Cc}\u{2028}\u{2029}]{1,80}") {
            let (mut task, _) = parse(RECORDED).unwrap();
            task.remote_user = RemoteUser::parse(&name).unwrap();
            let text = render(&task, &[]).unwrap();
            prop_assert_eq!(parse(&text).unwrap().0, task);
        }
    }
}
