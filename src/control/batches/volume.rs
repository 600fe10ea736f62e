// SPDX-License-Identifier: GPL-3.0-or-later
//! How much mail the tasks of a batch have to move, and how much of it has been moved.

use crate::task::history::PastRun;
use crate::task::progress::Progress;
use crate::task::report::Report;

/// Messages and octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Octets.
    pub bytes: u64,
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn at_least(self, other: Self) -> Self {
        Self {
            messages: self.messages.max(other.messages),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// What is known of the mail of one task.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// What its last runs did.
    pub history: &'a [PastRun],
    /// What the last one did.
    pub report: Option<&'a Report>,
    /// Where the one at work stands.
    pub progress: Option<&'a Progress>,
    /// What the source holds, as it was counted.
    pub counted: Option<Amount>,
}

/// How far one task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// What has been moved.
    pub done: Amount,
    /// What there is to move in all; `None` while no one has counted it.
    pub total: Option<Amount>,
}

impl Volume {
    /// How far a task is, by what is known of it.
    pub fn of(known: &Known<'_>) -> Self {
        let moved = Amount {
            messages: sum(known.history, |run| run.copied),
            bytes: sum(known.history, |run| run.bytes),
        };
        match (known.progress, known.report) {
            (Some(run), _) => at_work(run, moved, known.counted),
            (None, Some(report)) if report.exit_code == 0 => {
                // All that the source has is there, by whatever way it came.
                let held = Amount {
                    messages: report.messages.copied + report.messages.skipped,
                    bytes: 0,
                };
                let done = moved.at_least(held).at_least(known.counted.unwrap_or_default());
                Self {
                    done,
                    total: Some(done),
                }
            }
            _ => Self {
                done: moved,
                total: known.counted.map(|counted| counted.at_least(moved)),
            },
        }
    }

    /// How far many are, and how many of them no one has counted.
    pub fn sum(volumes: impl Iterator<Item = Self>) -> (Amount, Amount, usize) {
        let (mut done, mut total, mut uncounted) = (Amount::default(), Amount::default(), 0);
        for volume in volumes {
            done = done.plus(volume.done);
            match volume.total {
                Some(amount) => total = total.plus(amount),
                None => {
                    // What was moved was there.
                    total = total.plus(volume.done);
                    uncounted += 1;
                }
            }
        }
        (done, total, uncounted)
    }
}

/// A run counts the messages of the whole mailbox, and of the bytes those that it has to copy.
fn at_work(run: &Progress, moved: Amount, counted: Option<Amount>) -> Volume {
    let done = Amount {
        messages: run.messages_done,
        bytes: moved.bytes.saturating_add(run.bytes_done),
    };
    let to_come = Amount {
        messages: run.messages_total,
        bytes: moved.bytes.saturating_add(run.bytes_total),
    };
    let is_counted = run.messages_total > 0 || run.bytes_total > 0;
    let total = match (counted, is_counted) {
        (Some(counted), _) => Some(counted.at_least(to_come).at_least(done)),
        (None, true) => Some(to_come.at_least(done)),
        (None, false) => None,
    };
    Volume { done, total }
}

fn sum(history: &[PastRun], of: impl Fn(&PastRun) -> u64) -> u64 {
    history
        .iter()
        .map(of)
        .fold(0, |total, one| total.saturating_add(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::report::Messages;

    fn amount(messages: u64, bytes: u64) -> Amount {
        Amount { messages, bytes }
    }

    fn report(exit_code: i32) -> Report {
        Report {
            exit_code,
            bytes: 70,
            messages: Messages {
                copied: 7,
                skipped: 3,
                failed: 0,
            },
            ..Report::default()
        }
    }

    #[test]
    fn a_complete_run_has_moved_all_there_is() {
        let (report, broken) = (report(0), report(111));
        let history = [PastRun::from(&broken), PastRun::from(&report)];
        let known = Known {
            history: &history,
            report: Some(&report),
            ..Known::default()
        };
        let volume = Volume::of(&known);
        assert_eq!(volume.done, amount(14, 140));
        assert_eq!(volume.total, Some(amount(14, 140)));
        // Mail that was there before counts as moved.
        let counted = Some(amount(100, 9000));
        let volume = Volume::of(&Known { counted, ..known });
        assert_eq!((volume.done, volume.total), (amount(100, 9000), counted));
    }

    #[test]
    fn what_failed_is_as_far_as_it_came_of_what_was_counted() {
        let report = report(111);
        let history = [PastRun::from(&report)];
        let known = |counted| Known {
            history: &history,
            report: Some(&report),
            counted,
            ..Known::default()
        };
        assert_eq!(Volume::of(&known(None)).total, None);
        let volume = Volume::of(&known(Some(amount(10, 100))));
        assert_eq!(
            (volume.done, volume.total),
            (amount(7, 70), Some(amount(10, 100)))
        );
        // The source has shrunk since it was counted.
        let volume = Volume::of(&known(Some(amount(1, 1))));
        assert_eq!(volume.total, Some(volume.done));
    }

    #[test]
    fn a_run_at_work_tells_what_it_knows_itself() {
        let history = [PastRun::from(&report(111))];
        let mut progress = Progress::default();
        let volume = |progress: &Progress| {
            Volume::of(&Known {
                history: &history,
                progress: Some(progress),
                ..Known::default()
            })
        };
        assert_eq!(volume(&progress).total, None);
        progress.messages_done = 8;
        progress.messages_total = 10;
        progress.bytes_done = 10;
        progress.bytes_total = 30;
        assert_eq!(volume(&progress).done, amount(8, 80));
        assert_eq!(volume(&progress).total, Some(amount(10, 100)));
        let both = [volume(&progress), Volume::default()];
        assert_eq!(Volume::sum(both.into_iter()), (amount(8, 80), amount(10, 100), 1));
    }
}
