// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;
use crate::task::FileKind;
use crate::task::Layout;

fn store(folder: &Path) -> Store {
    fs::create_dir_all(folder.join(".sources")).unwrap();
    Store::new(Layout::in_container(folder))
}

fn staged(content: &str) -> Vec<Staged> {
    vec![Staged {
        kind: FileKind::Password,
        content: content.as_bytes().to_vec().into(),
    }]
}

fn names() -> [TaskName; 3] {
    ["u1_a", "u2_b", "u3_c"].map(|name| TaskName::parse(name).unwrap())
}

/// The passwords of all tasks, and the file with them.
fn contents(store: &Store) -> Vec<String> {
    let paths = names().map(|name| store.path(&name, FileKind::Password));
    let other = store.folder().join(".sources/s.json");
    let all = paths.into_iter().chain([other]);
    all.map(|path| fs::read_to_string(path).unwrap_or_default())
        .collect()
}

fn write(store: &Store, content: &str) {
    let tasks = names().map(|name| (name, staged(content)));
    let other = OtherFile {
        target: &store.folder().join(".sources/s.json"),
        content: content.as_bytes(),
    };
    replace(store, &tasks, &other).unwrap();
}

/// What is on the disk when an edit is killed after so many of its tasks were staged.
fn cut_off(store: &Store, content: &str, tasks: usize, journaled: bool) {
    let (folder, id) = (store.folder(), "0123456789abcdef");
    for name in names().iter().take(tasks) {
        commit::stage(folder, name, &staged(content), id).unwrap();
    }
    let target = folder.join(".sources/s.json");
    fs::write(staged_other(&target), content).unwrap();
    if journaled {
        let text = serde_json::to_vec(&Journal {
            id: id.to_owned(),
            other: ".sources/s.json".into(),
            tasks: names().iter().map(ToString::to_string).collect(),
        });
        fs::write(journal(folder), text.unwrap()).unwrap();
    }
}

#[test]
fn before_the_journal_nothing_counts() {
    for tasks in 0..=3 {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        write(&store, "old");
        cut_off(&store, "new", tasks, false);
        for name in names() {
            store.acquire(&name, Duration::ZERO).unwrap();
        }
        recover(&store).unwrap();
        assert_eq!(contents(&store), ["old"; 4], "{tasks} staged");
        write(&store, "newer");
        assert_eq!(contents(&store), ["newer"; 4]);
    }
}

#[test]
fn with_the_journal_everything_counts_however_much_was_done() {
    for done in 0..=3 {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        write(&store, "old");
        cut_off(&store, "new", 3, true);
        for name in names().iter().take(done) {
            commit::finish(folder.path(), name).unwrap();
        }
        recover(&store).unwrap();
        assert_eq!(contents(&store), ["new"; 4], "{done} done");
        assert!(!journal(folder.path()).exists());
    }
}

#[test]
fn a_task_that_is_taken_first_is_finished_by_whoever_took_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    write(&store, "old");
    cut_off(&store, "new", 3, true);
    let run = store.acquire(&names()[1], Duration::ZERO).unwrap().unwrap();
    assert_eq!(contents(&store)[1], "new");
    recover(&store).unwrap();
    drop(run);
    assert_eq!(contents(&store), ["new"; 4]);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".new") || name.ends_with(".commit") || name == ".batch")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
