// SPDX-License-Identifier: GPL-3.0-or-later
//! Something else stands where the ledger was: a folder, a pipe, a link to a device or to nothing.

use std::path::{Path, PathBuf};

use super::world::{MODES, Mode, Side, World, everywhere, message};

type Obstacle = fn(&Path);

fn link(path: &Path, target: &str) {
    std::os::unix::fs::symlink(target, path).expect("a link");
}

fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
}

const OBSTACLES: [(&str, Obstacle); 5] = [
    ("a link to a device", |path| link(path, "/dev/null")),
    ("a link to a device without end", |path| link(path, "/dev/zero")),
    ("a link to nothing", |path| link(path, "/nowhere/at/all")),
    ("a pipe", pipe),
    ("a folder", |path| {
        std::fs::create_dir_all(path.join("with")).expect("a folder");
        std::fs::write(path.join("with/a file"), "somebody's").expect("a file");
    }),
];

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[test]
fn a_ledger_that_is_no_file_is_rebuilt_in_the_same_run() {
    everywhere(&[Side::Local], &MODES, |_, mode| {
        let mut world = World::new(mode);
        world.complete();
        for (round, (what, stand)) in OBSTACLES.iter().enumerate() {
            for ending in ["", "-wal"] {
                world.title = format!("{mode:?}, {what} in place of {ending:?}");
                let place = beside(&world.ledger(), ending);
                let _ = std::fs::remove_file(&place);
                stand(&place);
                if mode != Mode::Inbox {
                    world.arrives("INBOX", &message(&format!("later {round}{ending}"), 300));
                }
                let run = world.complete();
                let told = "it is rebuilt by comparing both sides";
                assert!(run.log.contains(told), "{}: {run:#?}", world.title);
                world.idle();
            }
        }
    });
}

#[test]
fn whatever_stands_next_to_the_ledger_keeps_no_run_from_its_work() {
    everywhere(&[Side::Local], &MODES, |_, mode| {
        let mut world = World::new(mode);
        world.complete();
        for (round, (what, stand)) in OBSTACLES.iter().enumerate() {
            for ending in ["-witness", "-witness.tmp"] {
                world.title = format!("{mode:?}, {what} in place of {ending:?}");
                let place = beside(&world.ledger(), ending);
                let _ = std::fs::remove_file(&place);
                stand(&place);
                world.arrives("INBOX", &message(&format!("next {round}{ending}"), 300));
                world.complete();
                world.idle();
            }
        }
    });
}

#[test]
fn whatever_stands_where_the_ledgers_are_keeps_no_run_from_its_work() {
    let places: [fn(&World) -> PathBuf; 2] = [
        |world| world.ledger().with_extension("lock"),
        |world| world.ledger().parent().expect("a folder").to_owned(),
    ];
    for (what, stand) in OBSTACLES {
        for (round, place) in places.iter().enumerate() {
            let mut world = World::new(Mode::Copy).titled(format!("{what}, place {round}"));
            world.complete();
            let place = place(&world);
            let _ = std::fs::remove_dir_all(&place);
            let _ = std::fs::remove_file(&place);
            stand(&place);
            world.arrives("INBOX", &message("later", 300));
            let run = world.complete();
            let lost = "has lost what it knew of this task: both sides are compared again";
            assert_eq!(run.log.contains(lost), round == 1, "{}: {run:#?}", world.title);
            world.idle();
        }
    }
}
