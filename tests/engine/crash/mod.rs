// SPDX-License-Identifier: GPL-3.0-or-later
//! `kill -9` at random instants of a run, in each mode. After that a run ends well, and when it has, everything is where
//! it should be: nothing is lost, nothing is twice, each message went through Sieve once, and nothing was deleted that was
//! not delivered.
//!
//! `CRASH_ROUNDS=200 cargo test --test engine crash::` does more; `CRASH_SEED=…` repeats what a failure printed.

mod mode;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};

use crate::accounts::{Case, case};
use mode::Mode;

/// Rounds of each mode, unless `CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 3;

/// Runs after which a task that was never killed again must have come to rest.
const ROUNDS_AT_MOST: usize = 4;

#[test]
fn while_copying() -> anyhow::Result<()> {
    rounds(Mode::Copy)
}

#[test]
fn while_deleting_locally() -> anyhow::Result<()> {
    rounds(Mode::DeleteLocal)
}

#[test]
fn while_emptying_the_remote_side() -> anyhow::Result<()> {
    rounds(Mode::DeleteRemote)
}

#[test]
fn while_emptying_the_remote_side_of_what_is_old() -> anyhow::Result<()> {
    rounds(Mode::DeleteOlder)
}

#[test]
fn while_filtering_and_deleting() -> anyhow::Result<()> {
    rounds(Mode::Inbox)
}

#[test]
fn while_filtering_and_deleting_what_is_old() -> anyhow::Result<()> {
    rounds(Mode::InboxOlder)
}

fn rounds(mode: Mode) -> anyhow::Result<()> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("CRASH_SEED");
    let rounds = if seed.is_some() {
        1
    } else {
        number("CRASH_ROUNDS").unwrap_or(ROUNDS)
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let first = seed.unwrap_or(u64::try_from(now)?);
    // How long a run takes that no one kills, as far as is known.
    let mut usual = Duration::from_millis(1500);
    let mut failures = vec![];
    let mut kills = 0;
    for round in 0..rounds {
        let seed = first + round;
        let case = case()?;
        let outcome = one(mode, &case, &mut Random(seed), &mut usual, &mut kills);
        if let Err(error) = outcome {
            failures.push(format!("CRASH_SEED={seed}: {error:#}"));
        }
    }
    println!(
        "{mode:?}: {rounds} rounds, {kills} kills, {} failures",
        failures.len()
    );
    if !failures.is_empty() {
        bail!(
            "{mode:?}: {} of {rounds} rounds failed\n{}",
            failures.len(),
            failures.join("\n\n")
        );
    }
    Ok(())
}

fn one(
    mode: Mode,
    case: &Case,
    random: &mut Random,
    usual: &mut Duration,
    kills: &mut u64,
) -> anyhow::Result<()> {
    let expected = mode.prepare(case, random)?;
    // One after the other: recovery may be killed too.
    let mut instants = vec![];
    for _ in 0..=random.below(3) {
        let instant = usual.mul_f64(random.fraction());
        let mut run = case.program(&["start"])?.spawn()?;
        // The instant is what this test is about: it waits for nothing.
        std::thread::sleep(instant);
        run.kill()?;
        if !run.wait()?.success() {
            *kills += 1;
        }
        instants.push(instant);
    }
    let mut premature = None;
    for attempt in 1..=ROUNDS_AT_MOST {
        let started = Instant::now();
        let run = case.run()?;
        if attempt == 1 {
            *usual = (*usual + started.elapsed()) / 2;
        }
        ensure!(
            run.exit_code == 0,
            "killed at {instants:?}; the run after it ended {}:\n{}",
            run.exit_code,
            run.log
        );
        match mode.judge(case, &expected) {
            Ok(()) => {
                let again = case.run()?;
                ensure!(
                    again.exit_code == 0 && again.copied() == 0,
                    "a run without news: {}",
                    again.log
                );
                mode.judge(case, &expected).context("after a run without news")?;
                return premature.map_or(Ok(()), |error: anyhow::Error| {
                    Err(error.context(format!(
                        "killed at {instants:?}; complete only after run {attempt}"
                    )))
                });
            }
            // A run that ended with 0 has done everything; this one has not.
            Err(error) => premature = premature.or(Some(error.context(run.log))),
        }
    }
    let error = premature.context("no run at all")?;
    Err(error.context(format!("killed at {instants:?}; wrong for good")))
}

/// SplitMix64: the same seed gives the same instants.
pub(crate) struct Random(u64);

impl Random {
    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.number() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}
