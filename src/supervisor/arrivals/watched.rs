// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known of one task that is listened for: its connection, and whether there is mail that no run covers.

use std::time::Instant;

use super::pace::{Outcome, Pace, Wanted};
use super::record::Listening;
use super::worker::Worker;
use crate::sync::exit_code::Exit;
use crate::task::SourceId;

/// After these a run is not repeated because of news: another login would not help.
const FOR_GOOD: [Exit; 4] = [
    Exit::Authentication,
    Exit::AuthenticationUser1,
    Exit::AuthenticationUser2,
    Exit::TlsFailure,
];

/// A task that is listened for.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) state: Listening,
    pub(super) source: Option<SourceId>,
    pub(super) limited: bool,
    /// None while a run has the connection.
    pub(super) worker: Option<Worker>,
    /// Of the worker that is heard.
    pub(super) number: u64,
    /// Where the folders stand, and where they stood when the last run began.
    seen: Option<u64>,
    covered: Option<u64>,
    /// Since when there is something that no run covers, and what.
    news: Option<(Instant, Wanted)>,
    /// Whether the run at work was started by it.
    started_by_news: bool,
    /// Whether an administrator stopped a run that had the connection: what the next one finds is no news.
    stopped: bool,
    pace: Pace,
}

impl Watched {
    /// One whose folders stood there when its last run began.
    pub(super) fn since(covered: Option<u64>) -> Self {
        Self {
            covered,
            ..Self::default()
        }
    }

    /// Where the folders stood when the last run began.
    pub(super) fn covered(&self) -> Option<u64> {
        self.covered
    }

    /// Takes in where the folders stand.
    pub(super) fn told(&mut self, position: u64) {
        if std::mem::take(&mut self.stopped) {
            self.covered = Some(position);
        }
        let wanted = match self.seen.replace(position) {
            // The next connection tells it again.
            Some(former) if former == position => Wanted::Retry,
            _ => Wanted::News,
        };
        self.look_for(wanted);
    }

    /// Looks whether there is something that no run covers.
    fn look_for(&mut self, wanted: Wanted) {
        if self.seen.is_none() || self.seen == self.covered {
            self.news = None;
        } else if self.news.is_none() || wanted == Wanted::News {
            let since = self.news.map_or_else(Instant::now, |(since, _)| since);
            self.news = Some((since, wanted));
        }
    }

    fn retry(&mut self) {
        self.covered = None;
        self.look_for(Wanted::Retry);
    }

    /// When a run is to begin for it.
    pub(super) fn due(&self) -> Option<Instant> {
        self.news.map(|(since, wanted)| self.pace.next(wanted, since))
    }

    /// A run is asked for.
    pub(super) fn is_due_now(&mut self) {
        self.covered = self.seen;
        self.news = None;
        self.started_by_news = true;
    }

    /// The run that was asked for is not going to be.
    pub(super) fn not_queued(&mut self, now: Instant) {
        let outcome = Outcome {
            brought: false,
            well: false,
        };
        self.started_by_news = false;
        self.pace.ended(now, outcome);
        self.retry();
    }

    /// A run begins, whoever wanted it.
    pub(super) fn run_begins(&mut self) {
        self.covered = self.seen.or(self.covered);
        self.news = None;
        self.stopped = false;
    }

    /// A run has ended, with that exit code where it told one.
    pub(super) fn run_ended(&mut self, now: Instant, exit: Option<u8>, brought: bool) {
        let by_news = std::mem::take(&mut self.started_by_news);
        if exit == Some(Exit::Stopped.code()) {
            // What the run was to bring comes with the next one; that the source told of it starts none.
            self.covered = self.seen;
            self.news = None;
            self.stopped = self.worker.is_none();
            return;
        }
        let well = exit == Some(Exit::Ok.code());
        // That a schedule found nothing says nothing of what the source tells.
        if brought || !well || by_news {
            self.pace.ended(now, Outcome { brought, well });
        }
        let for_good = FOR_GOOD.iter().any(|kind| Some(kind.code()) == exit);
        match well || for_good {
            true => self.look_for(Wanted::News),
            false => self.retry(),
        }
    }

    /// Ends the connection; whether there may still be one.
    pub(super) fn leave(&mut self) -> bool {
        let Some(worker) = &mut self.worker else {
            return false;
        };
        worker.stop();
        if !worker.is_alive() {
            self.worker = None;
        }
        self.worker.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A run that ends so long before the next news, and how long these wait.
    fn wait_after(watched: &mut Watched, exit: Exit, brought: bool, news: bool) -> u64 {
        let now = Instant::now();
        if news {
            watched.is_due_now();
        }
        watched.run_begins();
        watched.run_ended(now, Some(exit.code()), brought);
        let position = watched.seen.unwrap_or_default() + 1;
        watched.told(position);
        let due = watched.due().expect("news");
        (due.saturating_duration_since(now) + Duration::from_millis(10)).as_secs()
    }

    #[test]
    fn runs_of_the_schedule_that_find_nothing_do_not_delay_what_arrives() {
        let mut watched = Watched::since(Some(1));
        watched.told(1);
        assert!(watched.due().is_none());
        let quiet: Vec<u64> = (0..8)
            .map(|_| wait_after(&mut watched, Exit::Ok, false, false))
            .collect();
        assert_eq!(quiet, [0; 8]);
        let in_vain: Vec<u64> = (0..4)
            .map(|_| wait_after(&mut watched, Exit::Ok, false, true))
            .collect();
        assert_eq!(in_vain, [1, 2, 4, 8]);
        assert_eq!(wait_after(&mut watched, Exit::Ok, true, true), 1);
    }

    #[test]
    fn what_fails_at_every_run_does_not_delay_what_arrives_for_longer_and_longer() {
        let mut watched = Watched::since(Some(1));
        watched.told(1);
        let mut after = |brought| wait_after(&mut watched, Exit::WithErrors, brought, true);
        assert_eq!(
            [after(true), after(true), after(false), after(false), after(false)],
            [1, 1, 10, 10, 10]
        );
        watched.run_begins();
        watched.run_ended(Instant::now(), Some(Exit::WithErrors.code()), false);
        let retry = watched.due().expect("another try");
        assert!(
            retry > Instant::now() + Duration::from_secs(60),
            "what failed is left alone for longer"
        );
        watched.run_begins();
        watched.run_ended(Instant::now(), Some(Exit::Stopped.code()), false);
        watched.told(1000);
        assert!(watched.due().is_none(), "an administrator stopped it");
        watched.told(1001);
        assert!(watched.due().is_some());
        watched.run_begins();
        watched.run_ended(Instant::now(), Some(Exit::Stopped.code()), false);
        watched.run_begins();
        watched.run_ended(Instant::now(), Some(Exit::WithErrors.code()), false);
        watched.told(1002);
        assert!(watched.due().is_some(), "another run has failed since");
    }

    #[test]
    fn what_could_not_be_queued_is_tried_again() {
        let mut watched = Watched::since(Some(1));
        watched.told(2);
        watched.is_due_now();
        assert!(watched.due().is_none());
        watched.not_queued(Instant::now());
        assert!(watched.due().is_some());
    }
}
