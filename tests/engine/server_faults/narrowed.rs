// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that a task does not pull from a folder: out of its period, or shown by another folder as well.

use ns8_imapsync::task::{FolderOptions, Labels, Period};

use crate::server_faults::fault::Faults;
use crate::server_faults::model::Model;
use crate::server_faults::world::{Mode, Side, World, message};

const ALL_MAIL: &str = "[Gmail]/All Mail";

/// How a server tells that two messages are one.
const MARKS: [Option<&str>; 3] = [Some("X-GM-EXT-1"), Some("OBJECTID"), None];

/// Messages a to d; `a` has two labels, `c` none, and all of them are in the folder of all mail.
fn labels(remote: &mut Model) {
    for (folder, ids) in [("INBOX", "a"), ("Work", "ab"), (ALL_MAIL, "abc")] {
        for id in ids.chars() {
            remote.add(folder, &mail(id), &[]);
        }
    }
    remote.folders.get_mut(ALL_MAIL).expect("a folder").special = Some("\\All");
}

fn mail(id: char) -> Vec<u8> {
    message(&id.to_string(), 300)
}

fn world(mode: Mode, mark: Option<&'static str>, options: FolderOptions) -> World {
    let world = World::with(mode, Model::new('/', ""), |remote, _| labels(remote)).options(options);
    let mut faults = Faults::default();
    faults.with.extend(mark);
    world.remote.behave(faults);
    let local = if mark == Some("X-GM-EXT-1") {
        "All Mail"
    } else {
        ALL_MAIL
    };
    world.moves(ALL_MAIL, local).titled(format!("{mode:?} {mark:?}"))
}

#[test]
fn a_folder_of_all_mail_gives_what_no_other_folder_has() {
    for mark in MARKS {
        let mut world = world(Mode::Copy, mark, FolderOptions::default())
            .leaves(ALL_MAIL, &mail('a'))
            .leaves(ALL_MAIL, &mail('b'));
        let run = world.finish();
        assert_eq!(run.report.messages.copied, 4, "{run:#?}");
        world.finish();
        // Its owner takes a label away: the message is where it was delivered, and does not come a second time.
        world.removed("INBOX", &mail('a'));
        world.removed("Work", &mail('b'));
        world.arrives(ALL_MAIL, &mail('d'));
        let run = world.finish();
        assert_eq!(run.report.messages.copied, 1, "{run:#?}");
    }
}

/// Archived, as Gmail's users do: the mirror deletes it from its folder, and it comes with all mail.
#[test]
fn what_a_mirror_deletes_comes_from_the_folder_of_all_mail() {
    for mark in MARKS {
        let world = world(Mode::DeleteLocal, mark, FolderOptions::default())
            .leaves(ALL_MAIL, &mail('a'))
            .leaves(ALL_MAIL, &mail('b'));
        world.finish();
        let archived = mail('b');
        {
            let mut remote = world.remote.model();
            let work = remote.folders.get_mut("Work").expect("a folder");
            work.messages.retain(|message| message.body != archived);
        }
        for _ in 0..2 {
            world.run_unjudged();
        }
        let local = world.local.model();
        let folders = local.folders.iter();
        let with_it = folders.filter(|(_, folder)| folder.messages.iter().any(|one| one.body == archived));
        let names: Vec<_> = with_it.map(|(name, _)| name.as_str()).collect();
        assert!(
            names.len() == 1 && names[0].ends_with("All Mail"),
            "{mark:?}: {names:?}"
        );
    }
}

#[test]
fn each_message_comes_once_where_that_is_asked_for() {
    let once = FolderOptions {
        labels: Labels::Once,
        ..FolderOptions::default()
    };
    for mark in [Some("X-GM-EXT-1"), Some("OBJECTID")] {
        let world = world(Mode::Copy, mark, once.clone())
            .leaves("Work", &mail('a'))
            .leaves(ALL_MAIL, &mail('a'))
            .leaves(ALL_MAIL, &mail('b'));
        let run = world.finish();
        assert_eq!(run.report.messages.copied, 3, "{run:#?}");
        assert_eq!(world.finish().report.messages.copied, 0);
    }
}

#[test]
fn nothing_is_deleted_from_a_folder_that_shows_mail_of_others() {
    for mark in [Some("OBJECTID"), None] {
        let world = World::with(Mode::DeleteRemote, Model::new('/', ""), |remote, _| {
            for folder in ["INBOX", "Everything"] {
                remote.add(folder, &mail('a'), &[]);
                remote.add(folder, &mail('b'), &[]);
            }
            remote.folders.get_mut("Everything").expect("a folder").special = Some("\\All");
        })
        .foreign(Side::Remote, &["Everything"]);
        let mut faults = Faults::default();
        faults.with.extend(mark);
        world.remote.behave(faults);
        let run = world.finish();
        assert_eq!(run.report.deleted_remote, 2, "{run:#?}");
    }
}

/// A date so many days ago, as IMAP writes it.
fn days_ago(days: i64) -> String {
    let date = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .saturating_sub(jiff::ToSpan::days(days));
    date.strftime("%d-%b-%Y 12:00:00 +0000").to_string()
}

fn aged(remote: &mut Model) {
    for (id, days) in [('a', 3), ('b', 40), ('c', 400)] {
        remote.append("INBOX", mail(id), std::iter::empty(), &days_ago(days));
    }
}

#[test]
fn mail_out_of_the_period_stays_where_it_is() {
    let period = |newer, older| FolderOptions {
        period: Period::from_days(newer, older).expect("a period"),
        ..FolderOptions::default()
    };
    for (newer, older, left) in [(10, 0, "bc"), (100, 10, "ac"), (0, 100, "ab")] {
        for mode in [Mode::Copy, Mode::DeleteLocal] {
            let mut world = World::with(mode, Model::new('/', ""), |remote, _| aged(remote))
                .options(period(newer, older))
                .titled(format!("{mode:?} newer {newer} older {older}"));
            for id in left.chars() {
                world = world.leaves("INBOX", &mail(id));
            }
            assert_eq!(world.finish().report.messages.copied, 1);
            world.idle();
        }
    }
}

#[test]
fn a_wider_period_brings_what_was_left() {
    let narrow = FolderOptions {
        period: Period::from_days(10, 0).expect("a period"),
        ..FolderOptions::default()
    };
    let world = World::with(Mode::Copy, Model::new('/', ""), |remote, local| {
        aged(remote);
        local.add("INBOX", &mail('c'), &[]);
    })
    .options(narrow);
    // What is there already counts as pulled, whatever its age.
    let world = world.leaves("INBOX", &mail('b'));
    assert_eq!(world.finish().report.messages.copied, 1);
    let world = world.options(FolderOptions::default()).pulls("INBOX", &mail('b'));
    assert_eq!(world.finish().report.messages.copied, 1);
    world.idle();
}
