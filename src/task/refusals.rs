// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.refused`: how often in a row the remote server refused the login. A schedule that went on would have the
//! account locked; so it pauses until the task is edited or a run by hand gets in.

use serde::{Deserialize, Serialize};

/// So many refused runs in a row pause the schedule.
const RUNS_UNTIL_PAUSE: u32 = 3;

/// Refused logins in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusals {
    /// Runs whose login was refused, since the last one that got in.
    pub runs: u32,
}

impl Refusals {
    /// Whether the schedule pauses.
    pub fn pause(self) -> bool {
        self.runs >= RUNS_UNTIL_PAUSE
    }

    /// With one more.
    pub fn more(self) -> Self {
        Self {
            runs: self.runs.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_refusal_pauses() {
        let mut refusals = Refusals::default();
        let paused: Vec<bool> = (0..4)
            .map(|_| {
                refusals = refusals.more();
                refusals.pause()
            })
            .collect();
        assert_eq!(paused, [false, false, true, true]);
        assert_eq!(
            serde_json::from_str::<Refusals>("{}").unwrap(),
            Refusals::default()
        );
    }
}
