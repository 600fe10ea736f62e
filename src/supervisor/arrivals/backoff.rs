// SPDX-License-Identifier: GPL-3.0-or-later
//! When a connection that ended is made again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// A server that is asked to tell news and has no way to may learn one.
const NOT_OFFERED: Duration = Duration::from_secs(60 * 60);
/// A connection that lasted so long was a good one; one that lasted for less was of some use, and is missed for no more than
/// so many times as long.
const GOOD: Duration = Duration::from_secs(60);
const OF_USE: Duration = Duration::from_secs(10);
const MISSED: u32 = 4;

/// Pauses between connections, each twice as long as the one before.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How long to wait after a connection that lasted so long; at least as long as the server asked for. Servers that
    /// restart have their clients back one after the other.
    pub(super) fn pause(&mut self, lasted: Duration, asked: Option<Duration>) -> Duration {
        if lasted >= GOOD {
            self.attempts = 0;
        }
        let pause = FIRST.saturating_mul(1 << self.attempts.min(20)).min(LONGEST);
        // What ended after a good while, such as by a token's end, is made again soon.
        let pause = match lasted >= GOOD {
            true => FIRST / 2,
            false if lasted >= OF_USE => pause.min(lasted * MISSED),
            false => pause,
        };
        self.attempts += 1;
        jittered(pause.max(asked.unwrap_or_default()))
    }

    /// How long to leave a server alone that cannot tell news.
    pub(super) fn not_offered() -> Duration {
        jittered(NOT_OFFERED)
    }
}

/// Between three and five quarters of it.
fn jittered(pause: Duration) -> Duration {
    let thousandths = 750 + u32::try_from(RandomState::new().hash_one(0) % 500).unwrap_or_default();
    pause * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_a_jitter_and_begin_anew_after_a_good_connection() {
        let mut backoff = Backoff::default();
        let mut seconds = 5.0;
        for _ in 0..40 {
            let pause = backoff.pause(Duration::ZERO, None).as_secs_f64();
            assert!(
                pause >= seconds * 0.74 && pause <= seconds * 1.26,
                "{pause} for {seconds}"
            );
            seconds = (seconds * 2.0_f64).min(1800.0);
        }
        assert!(backoff.pause(GOOD / 2, None) < GOOD * 3);
        assert!(backoff.pause(GOOD, None) < FIRST);
        assert!(backoff.pause(Duration::ZERO, None) < FIRST * 3);
        assert!(
            backoff.pause(GOOD, Some(FIRST * 100)) > FIRST * 70,
            "as the server asks"
        );
        let pauses: std::collections::BTreeSet<_> = (0..20).map(|_| jittered(LONGEST)).collect();
        assert!(pauses.len() > 1);
    }
}
