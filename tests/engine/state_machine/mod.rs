// SPDX-License-Identifier: GPL-3.0-or-later
//! Random sequences of everything that happens to mailboxes and tasks: owners deliver, delete, file, rename and edit on
//! both sides, servers are restored and renumbered, tasks are changed, run, run together, and killed.
//!
//! Each test run tries the same few other sequences; `STATE_MACHINE_ROUNDS=1000 cargo test --test engine state_machine:: --
//! --nocapture` tries more, and `STATE_MACHINE_SEED=…` repeats what a failure printed. A sequence that fails is made as short as it can be, and becomes a
//! test in [`found`].
//!
//! [`action`] says what there is to happen, [`machine`] plays it on [`servers`], which are [`scripted`] ones or real
//! [`dovecot`]s, and [`oracle`] judges with its own eyes.

mod action;
mod dovecot;
mod found;
mod inbox;
mod machine;
mod mails;
mod oracle;
mod own_mail;
mod scripted;
mod servers;

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use servers::Servers;

/// Sequences of each kind of servers, unless `STATE_MACHINE_ROUNDS` says otherwise.
const ROUNDS: u32 = 3;
/// What these begin with.
const SEED: u64 = 1;

#[test]
fn nothing_is_lost_or_doubled_between_scripted_servers() {
    rounds::<scripted::Scripted>();
}

#[test]
fn nothing_is_lost_or_doubled_between_real_servers() {
    rounds::<dovecot::Dovecots>();
}

fn rounds<S: Servers>() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let asked = number("STATE_MACHINE_ROUNDS").and_then(|rounds| u32::try_from(rounds).ok());
    let rounds = asked.unwrap_or(ROUNDS);
    // What chance finds is no fault of the change at hand: only who asks for rounds gets others each time.
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("STATE_MACHINE_SEED").unwrap_or_else(|| asked.map_or(SEED, |_| now()));
    println!("STATE_MACHINE_SEED={seed}");
    let mut runner = TestRunner::new(Config {
        cases: rounds,
        failure_persistence: None,
        max_shrink_iters: 300,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    });
    let outcome = runner.run(&action::sequence(), |sequence| {
        machine::play::<S>(&sequence).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, sequence)) => panic!("STATE_MACHINE_SEED={seed}\n{sequence:#?}\n{why}"),
        Err(error) => panic!("{error}"),
    }
}
