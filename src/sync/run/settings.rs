// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run is given with its task.

use std::time::Duration;

use crate::sync::instance;

/// What a run is given with its task.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `SYNC_ENGINE`.
    pub engine: Option<String>,
    /// `MAX_CONCURRENT_SYNCS`.
    pub at_once: Option<String>,
    /// `MAX_SYNC_MINUTES`.
    pub minutes: Option<String>,
    /// Whether the schedule started the run.
    pub scheduled: bool,
    /// `SYNC_DEBUG`: whether `NAME.trace` is written.
    pub debug: bool,
}

impl Settings {
    /// The settings of the instance.
    pub fn of_instance() -> Self {
        Self {
            engine: instance::setting("SYNC_ENGINE"),
            at_once: instance::setting("MAX_CONCURRENT_SYNCS"),
            minutes: instance::setting("MAX_SYNC_MINUTES"),
            scheduled: instance::started_by_cron(),
            debug: instance::setting("SYNC_DEBUG")
                .is_some_and(|value| !matches!(value.trim(), "0" | "false" | "no")),
        }
    }
}

/// A run that takes longer ends, unless the administrator says otherwise.
const DEFAULT_MINUTES: u64 = 24 * 60;

/// How long a run may take: so many minutes, a day where nothing valid is set; 0 is no limit.
pub(super) fn time_limit(setting: Option<&str>) -> Option<Duration> {
    let minutes = setting.and_then(|text| text.trim().parse().ok());
    match minutes.unwrap_or(DEFAULT_MINUTES) {
        0 => None,
        minutes => Some(Duration::from_secs(minutes.saturating_mul(60))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_a_day_at_most_unless_it_is_set() {
        assert_eq!(time_limit(None), Some(Duration::from_secs(86_400)));
        assert_eq!(time_limit(Some("90")), Some(Duration::from_secs(5_400)));
        assert_eq!(time_limit(Some("0")), None);
        assert_eq!(time_limit(Some("soon")), time_limit(None));
    }
}
