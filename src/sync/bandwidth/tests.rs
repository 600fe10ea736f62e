// SPDX-License-Identifier: GPL-3.0-or-later
//! Limits as their files say them at the moment.

use super::*;
use crate::task::Layout;

/// What nobody reads in the time of a test at any of the limits here.
const MUCH: usize = 100_000_000;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(Layout::in_container(folder.path()));
    (folder, store)
}

fn task(name: &str) -> TaskName {
    TaskName::parse(name).unwrap()
}

fn kib(number: i64) -> Option<Bandwidth> {
    Bandwidth::parse(number).unwrap()
}

fn run(store: &Store, name: &str) -> RunLimits {
    RunLimits(Mutex::new(limits(store, &task(name), None)))
}

/// Asks as if the time to look had come.
fn turn(run: &RunLimits) -> Turn {
    run.0.lock().unwrap().looked = None;
    run.turn()
}

fn save(store: &Store, name: &str, limit: i64) {
    let bandwidth = kib(limit);
    store
        .change_plan(&task(name), |plan| plan.bandwidth = bandwidth)
        .unwrap();
}

#[test]
fn a_run_follows_what_its_task_says() {
    let (_folder, store) = store();
    let run = run(&store, "u1_a");
    assert_eq!(turn(&run), Turn::Read(u64::MAX));
    run.spend(MUCH);
    assert_eq!(
        turn(&run),
        Turn::Read(u64::MAX),
        "what was read without a limit is not owed"
    );
    save(&store, "u1_a", 8);
    assert_eq!(turn(&run), Turn::Read(1024), "an eighth of a second");
    run.spend(MUCH);
    assert_eq!(turn(&run), Turn::Wait(LONGEST_WAIT));
    save(&store, "u1_a", 0);
    assert_eq!(turn(&run), Turn::Read(u64::MAX));
    save(&store, "u1_a", 4000);
    assert!(
        matches!(turn(&run), Turn::Read(32_768)),
        "nothing is owed from before"
    );
}

#[test]
fn the_runs_of_an_instance_share_its_limit_and_others_do_not_count() {
    let (_folder, store) = store();
    let (one, other) = (run(&store, "u1_a"), run(&store, "u2_b"));
    save(&store, "u1_a", 8);
    store.save_bandwidth(kib(64)).unwrap();
    assert_eq!((turn(&one), turn(&other)), (Turn::Read(1024), Turn::Read(8192)));
    one.spend(MUCH);
    assert_eq!(turn(&one), Turn::Wait(LONGEST_WAIT));
    assert_eq!(
        turn(&other),
        Turn::Read(8192),
        "who has read nothing owes nothing"
    );
    other.spend(1024);
    assert_eq!(
        turn(&other),
        Turn::Wait(LONGEST_WAIT),
        "and stands behind who has"
    );
    store.save_bandwidth(None).unwrap();
    assert_eq!(turn(&other), Turn::Read(u64::MAX));
    assert_eq!(
        turn(&one),
        Turn::Wait(LONGEST_WAIT),
        "its own task's limit is left"
    );
}

#[test]
fn who_cannot_share_gets_a_part_that_is_safe() {
    let (_folder, store) = store();
    let share = |at_once| fixed_share(&store, &task("u1_a"), None, NonZeroUsize::new(at_once).unwrap());
    assert_eq!(share(4), None);
    store.save_bandwidth(kib(600)).unwrap();
    assert_eq!((share(1), share(4)), (Some(600 * 1024), Some(100 * 1024)));
    save(&store, "u1_a", 50);
    assert_eq!((share(4), share(64)), (Some(50 * 1024), Some(6400)));
}
