// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether a mailbox can be moved, what to mind, and how long it will take.

use crate::sync::inspect::assess::Assessment;
use crate::task::history::PastRun;

/// What is taken for the speed of a server that nothing was pulled from yet, in bytes a second.
const ASSUMED_RATE: u64 = 1_000_000;
/// Runs that copied less say nothing about the speed of their server.
const TELLING: u64 = 10_000_000;
/// What Gmail gives away by IMAP in a day, in bytes: support.google.com/a/answer/1071518.
const GMAIL_DAILY: u64 = 2_500_000_000;
const DAY: u64 = 24 * 3600;

/// Whether a mailbox can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against it.
    Go,
    /// It can, and something is worth a look.
    Look,
    /// It cannot as things are.
    NoGo,
}

/// What to mind about a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// The mail does not fit into the destination's quota.
    OverQuota,
    /// Messages are larger than what the destination takes.
    TooLarge,
    /// Folders cannot be opened.
    Unreadable,
    /// Folders get other names.
    Renamed,
    /// Folders get the names of the destination's special folders.
    Special,
    /// The provider gives away so much a day and no more.
    Throttled,
}

/// What is expected of the move of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Whether it can be moved.
    pub verdict: Verdict,
    /// What to mind.
    pub warnings: Vec<Warning>,
    /// How long the first copy will take, and from what that is assumed; `None` without a login.
    pub duration: Option<Duration>,
}

/// How long the first copy is assumed to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duration {
    /// Seconds, with the server all to itself.
    pub seconds: u64,
    /// Bytes a second that are reckoned with.
    pub rate: u64,
    /// Where that is from.
    pub basis: Basis,
}

/// What an expected duration is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Former runs from the same server.
    FormerRuns,
    /// Nothing was pulled from there yet: any server's speed is taken.
    AnyServer,
    /// What the provider gives away in a day.
    DailyLimit,
}

/// The speed of a server in bytes a second, by the runs that copied a lot from it; `None` where there are none.
pub fn rate<'a>(runs: impl Iterator<Item = &'a PastRun>) -> Option<u64> {
    let telling = runs.filter(|run| run.bytes >= TELLING && run.ended > run.started);
    let (bytes, seconds) = telling.fold((0u64, 0u64), |(bytes, seconds), run| {
        let took = u64::try_from(run.ended - run.started).unwrap_or(0);
        (bytes.saturating_add(run.bytes), seconds.saturating_add(took))
    });
    bytes.checked_div(seconds).filter(|rate| *rate > 0)
}

/// Judges what was found about a mailbox at a server of that name and speed.
pub fn of(found: &Assessment, host: &str, rate: Option<u64>) -> Forecast {
    if found.remote != "ok" || found.local != "ok" {
        return Forecast {
            verdict: Verdict::NoGo,
            warnings: vec![],
            duration: None,
        };
    }
    let to_copy = found.bytes.saturating_sub(found.local_bytes);
    let daily = is_gmail(host).then_some(GMAIL_DAILY);
    let facts = [
        (
            Warning::OverQuota,
            found.quota.is_some_and(|quota| to_copy > quota.free()),
        ),
        (Warning::TooLarge, found.too_large > 0),
        (Warning::Unreadable, !found.unreadable.is_empty()),
        (Warning::Renamed, !found.renamed.is_empty()),
        (Warning::Special, !found.special.is_empty()),
        (Warning::Throttled, daily.is_some_and(|daily| to_copy > daily)),
    ];
    let warnings: Vec<Warning> = facts
        .into_iter()
        .filter_map(|(warning, holds)| holds.then_some(warning))
        .collect();
    let verdict = match warnings.as_slice() {
        some if some.contains(&Warning::OverQuota) => Verdict::NoGo,
        // What is expected of every move keeps no one from it.
        some if some.iter().all(|one| *one == Warning::Special) => Verdict::Go,
        _ => Verdict::Look,
    };
    Forecast {
        verdict,
        warnings,
        duration: Some(duration(to_copy, rate, daily)),
    }
}

fn duration(to_copy: u64, rate: Option<u64>, daily: Option<u64>) -> Duration {
    let (rate, basis) = match rate {
        Some(rate) => (rate.max(1), Basis::FormerRuns),
        None => (ASSUMED_RATE, Basis::AnyServer),
    };
    let pulling = Duration {
        seconds: to_copy / rate,
        rate,
        basis,
    };
    // The first day's share is there at once.
    let waiting = daily.map(|daily| Duration {
        seconds: to_copy.saturating_sub(1) / daily * DAY,
        rate: daily / DAY,
        basis: Basis::DailyLimit,
    });
    match waiting {
        Some(waiting) if waiting.seconds > pulling.seconds => waiting,
        _ => pulling,
    }
}

fn is_gmail(host: &str) -> bool {
    ["imap.gmail.com", "imap.googlemail.com"]
        .iter()
        .any(|name| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::StorageQuota;

    fn found(bytes: u64) -> Assessment {
        Assessment {
            remote: "ok".to_owned(),
            local: "ok".to_owned(),
            bytes,
            ..Assessment::default()
        }
    }

    #[test]
    fn what_does_not_fit_cannot_be_moved_and_what_is_there_needs_no_room() {
        let mut mailbox = found(5000);
        mailbox.quota = Some(StorageQuota {
            used: 9000,
            limit: 10_000,
        });
        let forecast = of(&mailbox, "imap.example.com", None);
        assert_eq!(
            (forecast.verdict, forecast.warnings),
            (Verdict::NoGo, vec![Warning::OverQuota])
        );
        mailbox.local_bytes = 4500;
        assert_eq!(of(&mailbox, "imap.example.com", None).verdict, Verdict::Go);
        mailbox.too_large = 1;
        assert_eq!(of(&mailbox, "imap.example.com", None).verdict, Verdict::Look);
        mailbox.local = "local_user_unknown".to_owned();
        let forecast = of(&mailbox, "imap.example.com", None);
        assert_eq!((forecast.verdict, forecast.duration), (Verdict::NoGo, None));
    }

    #[test]
    fn it_takes_as_long_as_the_server_took_so_far_and_a_provider_may_take_days() {
        let run = |bytes: u64, seconds: i64| PastRun {
            started: 100,
            ended: 100 + seconds,
            exit_code: 0,
            error: None,
            copied: 1,
            failed: 0,
            deleted: 0,
            bytes,
        };
        let runs = [run(TELLING, 5), run(5, 500), run(TELLING, 0)];
        let rate = rate(runs.iter());
        assert_eq!(rate, Some(TELLING / 5));
        let expected = |found: &Assessment, host, rate| {
            let duration = of(found, host, rate).duration.unwrap();
            (duration.seconds, duration.basis)
        };
        assert_eq!(
            expected(&found(3 * TELLING), "imap.example.com", rate),
            (15, Basis::FormerRuns)
        );
        assert_eq!(
            expected(&found(ASSUMED_RATE * 7), "imap.example.com", None),
            (7, Basis::AnyServer)
        );
        assert_eq!(
            expected(&found(ASSUMED_RATE * 7), "imap.gmail.com", None),
            (7, Basis::AnyServer)
        );
        let large = found(3 * GMAIL_DAILY);
        assert_eq!(
            expected(&large, "imap.gmail.com", None),
            (2 * DAY, Basis::DailyLimit)
        );
        let large = of(&large, "imap.gmail.com", None);
        assert_eq!(large.warnings, [Warning::Throttled]);
    }
}
