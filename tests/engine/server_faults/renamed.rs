// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote folders get other names, on a server that tells which mailbox is which (RFC 8474).

use std::collections::BTreeMap;

use super::fault::Faults;
use super::model::Model;
use super::world::{Mode, World, message};

fn world(mode: Mode) -> World {
    let world = World::with(mode, Model::new('/', ""), |remote, _| {
        for (folder, id) in [("INBOX", "one"), ("Alpha", "two"), ("Beta", "three")] {
            remote.add(folder, &message(id, 300), &[]);
        }
    });
    world.remote.behave(Faults {
        with: vec!["OBJECTID"],
        ..Faults::default()
    });
    let run = world.run_unjudged();
    assert_eq!((run.exit, run.report.messages.copied), (Some(0), 3), "{run:#?}");
    world
}

fn rename(world: &World, from: &str, to: &str) {
    let mut model = world.remote.model();
    let folder = model.folders.remove(from).expect("a folder");
    model.folders.insert(to.to_owned(), folder);
}

/// Runs three times, which copies so many messages and deletes nothing; each message is there once in the end.
fn rests(world: &World, copies: u64, messages: usize) {
    for copied in [copies, 0, 0] {
        let run = world.run_unjudged();
        let report = &run.report;
        assert_eq!(
            (run.exit, report.messages.copied, report.deleted_local),
            (Some(0), copied, 0),
            "{run:#?}"
        );
    }
    let contents = world.local.model().contents();
    let mut times: BTreeMap<&Vec<u8>, usize> = BTreeMap::new();
    for (body, count) in contents.values().flatten() {
        *times.entry(body).or_default() += count;
    }
    assert!(
        times.len() == messages && times.values().all(|&count| count == 1),
        "{contents:?}"
    );
}

fn holds(world: &World, folder: &str, id: &str) -> bool {
    let contents = world.local.model().contents();
    contents
        .get(folder)
        .is_some_and(|messages| messages.contains_key(&message(id, 300)))
}

const MODES: [Mode; 2] = [Mode::Copy, Mode::DeleteLocal];

#[test]
fn a_renamed_folder_stays_where_it_is() {
    for mode in MODES {
        let world = world(mode);
        rename(&world, "Alpha", "Gamma");
        {
            let mut model = world.remote.model();
            model.add("Gamma", &message("four", 300), &[]);
            // Another folder of the name that is free now.
            model.add("Alpha", &message("five", 300), &[]);
        }
        rests(&world, 2, 5);
        assert!(holds(&world, "Alpha", "two") && holds(&world, "Alpha", "four"));
    }
}

#[test]
fn two_folders_change_names() {
    for mode in MODES {
        let world = world(mode);
        rename(&world, "Alpha", "Gamma");
        rename(&world, "Beta", "Alpha");
        rename(&world, "Gamma", "Beta");
        world.remote.model().add("Beta", &message("four", 300), &[]);
        rests(&world, 1, 4);
        assert!(holds(&world, "Alpha", "two") && holds(&world, "Alpha", "four"));
        assert!(holds(&world, "Beta", "three"));
    }
}

#[test]
fn another_mailbox_under_the_same_name_and_numbers_is_another() {
    let world = world(Mode::Copy);
    {
        let mut model = world.remote.model();
        let folder = model.folders.get_mut("Alpha").expect("a folder");
        folder.id += 1000;
        folder.messages[0].body = message("six", 300);
    }
    let run = world.run_unjudged();
    assert_eq!((run.exit, run.report.messages.copied), (Some(0), 1), "{run:#?}");
    assert!(holds(&world, "Alpha", "two") && holds(&world, "Alpha", "six"));
}

#[test]
fn identities_of_freed_memory_are_none() {
    let world = world(Mode::Copy);
    world.remote.behave(Faults {
        with: vec!["OBJECTID"],
        freed_ids: true,
        ..Faults::default()
    });
    world.remote.model().add("Alpha", &message("four", 300), &[]);
    rests(&world, 1, 4);
    // What SELECT tells is right, and still counts.
    rename(&world, "Alpha", "Gamma");
    rename(&world, "Beta", "Alpha");
    rename(&world, "Gamma", "Beta");
    let run = world.run_unjudged();
    assert_eq!((run.exit, run.report.deleted_local), (Some(0), 0), "{run:#?}");
}
