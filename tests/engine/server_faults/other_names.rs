// SPDX-License-Identifier: GPL-3.0-or-later
//! A task reaches the account of a former one under another host name; or an account that merely looks like it.

use ns8_imapsync::task::TaskName;

use super::model::Model;
use super::server::Server;
use super::world::{Mode, REMOTE_PASSWORD, Run, World, message};

/// More than are looked at with every list.
const FOLDERS: [&str; 7] = ["INBOX", "A", "B", "C", "D", "E", "F"];

fn id(folder: &str, n: usize) -> String {
    format!("{folder}-{n}")
}

fn fill(model: &mut Model, who: &str) {
    for folder in FOLDERS {
        for n in 0..3 {
            model.add(folder, &message(&format!("{who}{}", id(folder, n)), 300), &[]);
        }
    }
}

fn world(mode: Mode) -> World {
    let world = World::with(mode, Model::new('/', ""), |remote, _| fill(remote, ""));
    let run = world.run_unjudged();
    assert_eq!(
        (run.exit, run.report.messages.copied),
        (Some(0), 21),
        "{mode:?}: {run:#?}"
    );
    world
}

/// Their owner files one and deletes another.
fn file_and_delete(world: &World) {
    let mut model = world.local.model();
    let inbox = &mut model.folders.get_mut("INBOX").expect("the inbox").messages;
    let filed = inbox.remove(0);
    inbox.remove(0);
    model.add("Filed", &filed.body, &[]);
}

fn run(world: &World, task: &TaskName, copied: u64) -> Run {
    let run = world.run_task(task);
    assert_eq!(
        (run.exit, run.report.messages.copied, run.report.deleted_local),
        (Some(0), copied, 0),
        "{}: {run:#?}",
        world.title
    );
    run
}

fn copies(world: &World, id: &str) -> usize {
    let model = world.local.model();
    let all = model.folders.values().flat_map(|folder| &folder.messages);
    all.filter(|one| one.body == message(id, 300)).count()
}

#[test]
fn what_its_owner_filed_does_not_come_again_under_another_host_name() {
    let world = world(Mode::Copy);
    file_and_delete(&world);
    world.delete_task();
    for (mode, is_new) in [(Mode::Copy, true), (Mode::DeleteLocal, false)] {
        let id = format!("b{mode:?}").to_lowercase();
        let other = world.task_at(&id, mode, "localhost", &world.remote);
        let run = run(&world, &other, 0);
        let told = "The account is on record as me@there at 127.0.0.1";
        assert_eq!(run.log.contains(told), is_new, "{run:#?}");
    }
    assert_eq!((copies(&world, "INBOX-0"), copies(&world, "INBOX-1")), (1, 0));
}

/// Two accounts that were made together, with the same mail in the same places.
#[test]
fn a_mirror_of_an_account_that_looks_like_another_deletes_nothing_of_that() {
    let world = world(Mode::Copy);
    let server = Server::start(world.remote.model().clone(), "me@there", REMOTE_PASSWORD, false);
    let other = world.task_at("bbb222", Mode::DeleteLocal, "localhost", &server);
    run(&world, &other, 0);
    let remove = |folder: &str| {
        server
            .model()
            .folders
            .get_mut(folder)
            .map(|one| one.messages.remove(1))
    };
    for folder in FOLDERS {
        assert!(remove(folder).is_some());
    }
    for _ in 0..3 {
        run(&world, &other, 0);
    }
    assert_eq!(FOLDERS.map(|folder| copies(&world, &id(folder, 1))), [1; 7]);
}

#[test]
fn another_account_with_the_same_numbers_is_another_account() {
    let world = world(Mode::Copy);
    let mut model = Model::new('/', "");
    fill(&mut model, "other ");
    let server = Server::start(model, "me@there", REMOTE_PASSWORD, false);
    let other = world.task_at("bbb222", Mode::Copy, "localhost", &server);
    run(&world, &other, 21);
    for folder in FOLDERS {
        for n in 0..3 {
            assert_eq!(copies(&world, &id(folder, n)), 1);
            assert_eq!(copies(&world, &format!("other {}", id(folder, n))), 1);
        }
    }
}

/// A copy of the server goes its own way: both give the same numbers to different mail.
#[test]
fn what_a_copy_of_the_server_gets_is_not_taken_for_what_the_other_one_got() {
    for is_known in [true, false] {
        let world = world(Mode::Copy).titled(format!("known before it goes its own way: {is_known}"));
        let server = Server::start(world.remote.model().clone(), "me@there", REMOTE_PASSWORD, false);
        let other = world.task_at("bbb222", Mode::Copy, "localhost", &server);
        if is_known {
            run(&world, &other, 0);
        }
        for round in 0..3 {
            for folder in FOLDERS {
                for (model, who) in [(world.remote.model(), "old"), (server.model(), "new")] {
                    let mut model = model;
                    model.add(folder, &message(&format!("{who} {folder} {round}"), 300), &[]);
                }
            }
            let first = world.run_unjudged();
            assert_eq!(first.exit, Some(0), "{}: {first:#?}", world.title);
            let second = world.run_task(&other);
            assert_eq!(second.exit, Some(0), "{}: {second:#?}", world.title);
            for folder in FOLDERS {
                for who in ["old", "new"] {
                    let id = format!("{who} {folder} {round}");
                    assert_eq!(copies(&world, &id), 1, "{}: {id}: {second:#?}", world.title);
                }
            }
        }
        assert_eq!(copies(&world, "INBOX-0"), 1);
    }
}
