// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run is given with its task.

use std::time::Duration;

use crate::agent::journal;
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
    /// The settings of the instance. The journal hears which of them cannot be read.
    pub fn of_instance() -> Self {
        let settings = Self {
            engine: instance::setting("SYNC_ENGINE"),
            at_once: instance::setting("MAX_CONCURRENT_SYNCS"),
            minutes: instance::setting("MAX_SYNC_MINUTES"),
            scheduled: instance::started_by_cron(),
            debug: instance::setting("SYNC_DEBUG")
                .is_some_and(|value| !matches!(value.trim(), "0" | "false" | "no")),
        };
        for complaint in settings.complaints() {
            journal::warning(complaint);
        }
        settings
    }

    /// What is set and is no number, and what counts instead.
    fn complaints(&self) -> Vec<String> {
        let numbers = [
            (
                "MAX_CONCURRENT_SYNCS",
                &self.at_once,
                "a number of runs",
                "as many work at once as the machine can carry",
            ),
            (
                "MAX_SYNC_MINUTES",
                &self.minutes,
                "a number of minutes, or 0 for no limit",
                "a run may take a day",
            ),
        ];
        let mut complaints = vec![];
        for (name, setting, expected, instead) in numbers {
            if let Some(text) = setting
                && text.trim().parse::<u64>().is_err()
            {
                complaints.push(format!(
                    "invalid {name}: expected {expected}; until then {instead}"
                ));
            }
        }
        complaints
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

    #[test]
    fn a_setting_that_is_no_number_is_told() {
        let settings = |at_once: &str, minutes: &str| Settings {
            at_once: Some(at_once.to_owned()),
            minutes: Some(minutes.to_owned()),
            ..Settings::default()
        };
        assert!(Settings::default().complaints().is_empty());
        assert!(settings("0", " 90 ").complaints().is_empty());
        let told = settings("many", "-1").complaints();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("invalid MAX_CONCURRENT_SYNCS: expected a number of runs;"));
        assert!(told[1].starts_with("invalid MAX_SYNC_MINUTES: expected a number of minutes"));
    }
}
