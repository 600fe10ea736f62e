// SPDX-License-Identifier: GPL-3.0-or-later
//! Limits as their files say them at the moment.

use super::*;
use crate::source::Source;
use crate::task::Layout;

/// More than is read in the time of a test at any of the limits here.
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
    run_from(store, name, None)
}

fn run_from(store: &Store, name: &str, source: Option<&SourceId>) -> RunLimits {
    RunLimits(Mutex::new(limits(store, &task(name), source)))
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

/// On its own clock: how long a run reads from a moment on until it is held back, or waits until it may read.
fn until(run: &RunLimits, from: u64, is_reached: impl Fn(Turn) -> bool) -> Duration {
    const READ: Duration = Duration::from_millis(10);
    let mut passed = Duration::ZERO;
    loop {
        let turn = run.turn_at(from + u64::try_from(passed.as_nanos()).unwrap());
        if is_reached(turn) {
            return passed;
        }
        passed += match turn {
            Turn::Wait(pause) => pause,
            Turn::Read(_) => {
                run.spend(64 * 1024);
                READ
            }
        };
        assert!(passed < Duration::from_secs(600), "for ever");
    }
}

#[test]
fn a_change_reaches_a_run_at_work_within_two_seconds_wherever_it_is_made() {
    const PROMISED: Duration = Duration::from_secs(2);
    const BEGUN: u64 = 1_000_000_000_000;
    let id = SourceId::parse("old").unwrap();
    let set_source = |store: &Store, limit: i64| {
        let fields = serde_json::json!({
            "label": "Old", "hostname": "imap.test", "port": 143, "sign_in": "password", "bandwidth": limit,
        });
        let sources = Sources::of(store);
        let source = Source::read(id.clone(), &serde_json::from_value(fields).unwrap(), None).unwrap();
        sources.save(&sources.lock().unwrap(), &source).unwrap();
    };
    type Way<'a> = (&'a str, &'a dyn Fn(&Store, i64));
    let ways: [Way<'_>; 3] = [
        ("task", &|store, limit| save(store, "u1_a", limit)),
        ("source", &set_source),
        ("instance", &|store, limit| {
            store.save_bandwidth(kib(limit)).unwrap();
        }),
    ];
    for (way, set) in ways {
        let (_folder, store) = store();
        set(&store, 0);
        let run = run_from(&store, "u1_a", Some(&id));
        // One after the other, each right after the files were looked at: the worst moment.
        let mut now = BEGUN;
        assert_eq!(run.turn_at(now), Turn::Read(u64::MAX), "{way}");
        for (limit, holds) in [(1, true), (100_000, false), (1, true), (0, false)] {
            set(&store, limit);
            let took = until(&run, now, |turn| matches!(turn, Turn::Wait(_)) == holds);
            assert!(took <= PROMISED, "{way} {limit}: {took:?}");
            now += u64::try_from(took.as_nanos()).unwrap();
            let mut limits = run.0.lock().unwrap();
            limits.look(now + u64::try_from(LOOK.as_nanos()).unwrap());
            now = limits.looked.unwrap();
        }
    }
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
