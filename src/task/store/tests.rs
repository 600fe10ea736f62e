// SPDX-License-Identifier: GPL-3.0-or-later

use std::os::unix::fs::PermissionsExt;

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::*;
use crate::task::FileKind;
use crate::task::layout::MailHost;
use crate::task::options::Options;
use crate::task::{FolderMode, RemoteHost, Schedule, sample};

#[expect(clippy::unnecessary_wraps, reason = "that is how the store asks")]
fn mail_host() -> Result<Option<String>> {
    Ok(Some("10.5.4.1".to_owned()))
}

/// Rebuilds all schedules, and gives what was reported.
fn rebuild(store: &Store, mail_host: MailHost<'_>) -> Vec<String> {
    let reports = std::cell::RefCell::new(Vec::new());
    store
        .rebuild_schedules(mail_host, &|report| reports.borrow_mut().push(report))
        .unwrap();
    reports.into_inner()
}

struct Instance {
    state: TempDir,
    store: Store,
}

fn instance() -> Instance {
    let state = tempfile::tempdir().unwrap();
    let store = Store::new(Layout::in_state(state.path()));
    store.create_folders().unwrap();
    Instance { state, store }
}

fn task(user: &str, id: &str) -> Task {
    Task {
        id: TaskId::parse(id).unwrap(),
        local_user: LocalUser::parse(user).unwrap(),
        schedule: Schedule::parse("5m").unwrap(),
        ..sample::task()
    }
}

impl Instance {
    fn save(&self, task: &Task, password: Option<&str>) -> Result<()> {
        let lock = self.store.acquire(&task.name(), Duration::ZERO)?.unwrap();
        let password = password.map(SecretString::from);
        self.store
            .save(&lock, task, password.as_ref(), &Options::default(), &mail_host)
    }

    fn listing(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.state.path().join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn a_saved_task_is_private_complete_and_read_back() {
    let instance = instance();
    let task = task("u1", "abc123");
    instance.save(&task, Some(" pässwörd\\\"' ")).unwrap();
    assert_eq!(
        instance.listing("imapsync"),
        ["u1_abc123.env", "u1_abc123.lock", "u1_abc123.pwd"]
    );
    assert_eq!(instance.listing("cron"), ["u1_abc123.cron"]);
    for (file, mode) in [
        ("imapsync/u1_abc123.env", 0o600),
        ("imapsync/u1_abc123.pwd", 0o600),
        ("cron/u1_abc123.cron", 0o644),
    ] {
        let found = fs::metadata(instance.state.path().join(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777;
        assert_eq!(found, mode, "{file}");
    }
    assert_eq!(instance.store.load(&task.name()).unwrap(), Some(task.clone()));
    let password = instance.store.password(&task).unwrap().unwrap();
    assert_eq!(password.expose_secret(), " pässwörd\\\"' ");
}

#[test]
fn an_edit_without_a_password_keeps_it_and_drops_the_schedule() {
    let instance = instance();
    let mut task = task("u1", "abc123");
    instance.save(&task, Some("secret")).unwrap();
    task.schedule = None;
    instance.save(&task, None).unwrap();
    assert_eq!(
        instance.store.password(&task).unwrap().unwrap().expose_secret(),
        "secret"
    );
    assert!(instance.listing("cron").is_empty());
}

#[test]
fn the_time_of_the_last_run_is_forgotten_when_the_source_changes() {
    let instance = instance();
    let mut task = task("u1", "abc123");
    instance.save(&task, Some("secret")).unwrap();
    let timestamp = instance.store.path(&task.name(), FileKind::Timestamp);
    fs::write(&timestamp, "all").unwrap();
    task.schedule = None;
    instance.save(&task, None).unwrap();
    assert!(timestamp.exists());
    task.folders = FolderMode::Inbox;
    instance.save(&task, None).unwrap();
    assert!(!timestamp.exists());
}

#[test]
fn a_name_that_belongs_to_another_user_is_refused() {
    let instance = instance();
    instance.save(&task("a_b", "c"), Some("secret")).unwrap();
    let error = instance.save(&task("a", "b_c"), Some("other")).unwrap_err();
    assert!(
        matches!(&error, Error::Refused(refusals) if refusals[0].key == ErrorKey::TaskNameTaken),
        "{error}"
    );
    assert_eq!(
        instance
            .store
            .find(&LocalUser::parse("a_b").unwrap(), None)
            .unwrap()
            .len(),
        1
    );
    assert!(
        instance
            .store
            .find(&LocalUser::parse("a").unwrap(), None)
            .is_err()
    );
    let id = TaskId::parse("b_c").unwrap();
    assert!(
        instance
            .store
            .find(&LocalUser::parse("a").unwrap(), Some(&id))
            .is_err()
    );
}

#[test]
fn a_deleted_task_leaves_nothing_but_what_is_not_its_own() {
    let instance = instance();
    let (first, second) = (task("u1", "a"), task("u1", "b"));
    instance.save(&first, Some("secret")).unwrap();
    instance.save(&second, Some("secret")).unwrap();
    fs::write(instance.state.path().join("cron/site.custom"), "").unwrap();
    for kind in FileKind::of_task() {
        fs::write(instance.store.path(&first.name(), kind), "").unwrap();
    }
    let lock = instance
        .store
        .acquire(&first.name(), Duration::ZERO)
        .unwrap()
        .unwrap();
    instance.store.remove(lock, &first.name()).unwrap();
    assert_eq!(
        instance.listing("imapsync"),
        ["u1_b.env", "u1_b.lock", "u1_b.pwd"]
    );
    assert_eq!(instance.listing("cron"), ["site.custom", "u1_b.cron"]);
}

#[test]
fn damaged_files_are_found_by_name_and_mended_by_an_edit() {
    let instance = instance();
    let task = task("u1", "abc123");
    fs::write(
        instance.store.path(&task.name(), FileKind::Env),
        "TASK_ID=abc123\nLOCALUSER=u1\nREMO",
    )
    .unwrap();
    assert!(instance.store.load(&task.name()).is_err());
    assert_eq!(
        instance.store.find(&task.local_user, Some(&task.id)).unwrap(),
        [task.name()]
    );
    instance.save(&task, Some("secret")).unwrap();
    assert_eq!(instance.store.load(&task.name()).unwrap(), Some(task));
}

#[test]
fn only_the_first_line_of_a_password_file_is_the_password() {
    let instance = instance();
    let task = task("u1", "a");
    instance.save(&task, None).unwrap();
    fs::write(
        instance.store.path(&task.name(), FileKind::Password),
        "Pw-r1!\nmore",
    )
    .unwrap();
    let password = instance.store.password(&task).unwrap().unwrap();
    assert_eq!(password.expose_secret(), "Pw-r1!");
}

#[test]
fn a_password_is_never_paired_with_another_server() {
    let instance = instance();
    let before = task("u1", "a");
    instance.save(&before, Some("old")).unwrap();
    let mut after = before.clone();
    after.remote_host = RemoteHost::parse("imap.bar.com").unwrap();
    // As an edit leaves it that died after the new password was in place and before the new file was.
    let folder = instance.store.folder();
    fs::write(instance.store.path(&before.name(), FileKind::Password), "new").unwrap();
    fs::write(folder.join(".u1_a.env.new"), env::render(&after, &[]).unwrap()).unwrap();
    fs::write(folder.join(".u1_a.commit"), "").unwrap();
    let error = instance.store.password(&before).unwrap_err();
    assert_eq!(error.to_string(), "u1_a was changed meanwhile; try again");
    assert_eq!(
        instance.store.password(&after).unwrap().unwrap().expose_secret(),
        "new"
    );
}

#[test]
fn without_a_folder_there_are_no_tasks() {
    let state = tempfile::tempdir().unwrap();
    assert!(
        Store::new(Layout::in_state(state.path()))
            .names()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_schedule_is_rebuilt_from_a_file_that_lacks_everything_else() {
    let instance = instance();
    let name = TaskName::parse("u1_ec0003").unwrap();
    let env = instance.store.path(&name, FileKind::Env);
    fs::write(&env, "TASK_ID=ec0003\nLOCALUSER=u1\nCRON=21h\n").unwrap();
    assert!(rebuild(&instance.store, &mail_host).is_empty());
    let text = fs::read_to_string(instance.state.path().join("cron/u1_ec0003.cron")).unwrap();
    assert_eq!(
        text,
        "MAIL_HOST=10.5.4.1\n1 */21 * * *  root /usr/local/bin/syncctl start u1_ec0003\n"
    );
    fs::write(&env, "CRON=never\n").unwrap();
    assert!(rebuild(&instance.store, &mail_host)[0].contains("u1_ec0003"));
    assert_eq!(instance.listing("cron"), ["u1_ec0003.cron"]);
    fs::write(&env, "CRON=\n").unwrap();
    assert!(rebuild(&instance.store, &mail_host).is_empty());
    assert!(instance.listing("cron").is_empty());
}

#[test]
fn schedules_of_no_one_go_and_names_that_no_task_may_have_are_told() {
    let instance = instance();
    instance.save(&task("u1", "a"), None).unwrap();
    let cron = instance.state.path().join("cron");
    let command = "* * * * * root /usr/local/bin/syncctl start x\n";
    for name in ["u1_gone.cron", "u1_x; touch pwned #.cron"] {
        fs::write(cron.join(name), command).unwrap();
    }
    // The administrator's own.
    for (name, text) in [
        ("report.cron", "* * * * * root /bin/true\n"),
        ("own.custom", command),
    ] {
        fs::write(cron.join(name), text).unwrap();
    }
    for name in [
        "u1_x; touch pwned #.env",
        "nobody.env",
        "u1_a\nb.env",
        ".u1_b.env",
    ] {
        fs::write(instance.store.folder().join(name), "CRON=5m\n").unwrap();
    }
    let reports = rebuild(&instance.store, &mail_host);
    assert_eq!(reports.len(), 3, "{reports:?}");
    assert!(reports.iter().any(|report| report.contains("touch pwned")));
    assert_eq!(
        instance.listing("cron"),
        ["own.custom", "report.cron", "u1_a.cron"]
    );
    // While schedules are paused no task has one.
    assert_eq!(rebuild(&instance.store, &|| Ok(None)).len(), 3);
    assert_eq!(instance.listing("cron"), ["own.custom", "report.cron"]);
}

#[test]
fn whoever_takes_a_task_cleans_up_after_killed_processes() {
    let instance = instance();
    let name = TaskName::parse("u1_a").unwrap();
    for file in [
        ".u1_a.pid.tmp",
        "..u1_a.pwd.new.tmp",
        "..u1_a.commit.tmp",
        ".u1_a.env.new",
        ".u1_b.pid.tmp",
        "script.custom",
    ] {
        fs::write(instance.store.folder().join(file), "").unwrap();
    }
    instance.store.acquire(&name, Duration::ZERO).unwrap().unwrap();
    assert_eq!(
        instance.listing("imapsync"),
        [".u1_b.pid.tmp", "script.custom", "u1_a.lock"]
    );
}

#[test]
fn an_edit_while_schedules_are_rebuilt_is_what_holds() {
    let instance = instance();
    let former = task("u1", "a");
    instance.save(&former, None).unwrap();
    let edited = Task {
        schedule: Schedule::parse("7m").unwrap(),
        ..former.clone()
    };
    let path = instance.store.path(&former.name(), FileKind::Env);
    std::thread::scope(|scope| {
        // Asked for the address, the rebuilding has read the file already.
        let ask = || {
            scope.spawn(|| instance.save(&edited, None).unwrap());
            while !fs::read_to_string(&path).unwrap().contains("\nCRON=7m\n") {
                std::thread::yield_now();
            }
            mail_host()
        };
        assert!(rebuild(&instance.store, &ask).is_empty());
    });
    let text = fs::read_to_string(instance.state.path().join("cron/u1_a.cron")).unwrap();
    assert!(text.contains("*/7 "), "{text}");
}

#[test]
fn a_task_deleted_while_schedules_are_rebuilt_has_none() {
    let instance = instance();
    let former = task("u1", "a");
    let name = former.name();
    instance.save(&former, None).unwrap();
    std::thread::scope(|scope| {
        let ask = || {
            let lock = instance.store.acquire(&name, Duration::ZERO)?.unwrap();
            scope.spawn(|| instance.store.remove(lock, &name).unwrap());
            mail_host()
        };
        assert!(rebuild(&instance.store, &ask).is_empty());
    });
    assert!(instance.listing("cron").is_empty() && instance.listing("imapsync").is_empty());
}

#[test]
fn what_a_broken_off_creation_or_deletion_left_goes_when_somebody_asks() {
    let instance = instance();
    let (user, id) = (LocalUser::parse("u1").unwrap(), TaskId::parse("abc123").unwrap());
    let folder = instance.state.path().join("imapsync");
    for file in [
        "u1_abc123.pwd",
        "u1_abc123.log",
        "u1_abc123.status",
        "u1_abc123.lock",
        ".u1_abc123.pwd.new",
        "..u1_abc123.commit.tmp",
    ] {
        fs::write(folder.join(file), "left").unwrap();
    }
    fs::write(folder.join("u1_abc1234.log"), "another's").unwrap();
    assert!(instance.store.find(&user, Some(&id)).is_err());
    assert_eq!(instance.listing("imapsync"), ["u1_abc1234.log"]);
}

#[test]
fn a_new_task_has_nothing_of_one_whose_deletion_was_broken_off() {
    let instance = instance();
    let folder = instance.state.path().join("imapsync");
    fs::write(folder.join("u1_abc123.status"), "1\n0\n").unwrap();
    fs::write(folder.join("u1_abc123.report"), "{}").unwrap();
    instance.save(&task("u1", "abc123"), Some("secret")).unwrap();
    assert_eq!(
        instance.listing("imapsync"),
        ["u1_abc123.env", "u1_abc123.lock", "u1_abc123.pwd"]
    );
}

#[test]
fn a_task_whose_file_is_no_text_can_be_named_and_so_be_deleted() {
    let instance = instance();
    let task = task("u1", "abc123");
    instance.save(&task, Some("secret")).unwrap();
    fs::write(
        instance.state.path().join("imapsync/u1_abc123.env"),
        b"\nLOCALUSER=\xff",
    )
    .unwrap();
    let found = instance.store.find(&task.local_user, Some(&task.id)).unwrap();
    assert_eq!(found, [task.name()]);
    let lock = instance
        .store
        .acquire(&found[0], Duration::ZERO)
        .unwrap()
        .unwrap();
    instance.store.remove(lock, &found[0]).unwrap();
    assert!(instance.listing("imapsync").is_empty() && instance.listing("cron").is_empty());
}
