// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::batches;
use ns8_imapsync::control::batches::cutover::Cutover;
use ns8_imapsync::control::batches::jobs::Kind;
use ns8_imapsync::control::batches::start;
use ns8_imapsync::control::batches::throughput::{self, Stretch, Throughput};
use ns8_imapsync::control::batches::volume::{Amount, Known, Volume};
use ns8_imapsync::error::Result;
use ns8_imapsync::supervisor::queue_file::Snapshot;
use ns8_imapsync::task::progress::Progress;
use ns8_imapsync::task::{Store, TaskName};
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::batch::BatchReference;
use crate::common::batch_job;
use crate::common::batch_report;
use crate::common::context::Context;
use crate::common::outcome;
use crate::common::parallel;
use crate::common::state::{State, States};
use ns8_imapsync::clock::now;

/// Tells how far a batch is, from what is stored.
pub(crate) struct GetBatch;

/// How far a batch is. Sizes in bytes, times in seconds since 1970.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchProgress {
    /// How many tasks it has.
    tasks: usize,
    /// Of how many no one has counted the mail yet; their mail is in the totals as far as it was moved.
    uncounted: usize,
    messages_done: u64,
    messages_total: u64,
    bytes_done: u64,
    bytes_total: u64,
    /// Bytes a second, of the runs at work.
    rate: u64,
    /// Null while there is no telling.
    seconds_left: Option<u64>,
    throughput: Throughput,
    /// When its tasks begin, where somebody chose a time that has not come.
    start_at: Option<i64>,
    /// The steps of the cut-over.
    cutover: Cutover,
    /// The look at both sides before the move; null before the first time.
    assess: Option<batch_job::JobProgress>,
    /// The comparison of both sides; null before the first time.
    verify: Option<batch_job::JobProgress>,
}

/// What is known of one task.
struct Part {
    volume: Volume,
    rate: u64,
    stretches: Vec<Stretch>,
}

impl Action for GetBatch {
    const NAME: &'static str = "get-batch";
    const ABOUT: &'static str = "Tells how far a batch is";
    type Input = BatchReference;
    type Output = BatchProgress;

    fn run(context: &Context, batch: BatchReference) -> Result<BatchProgress> {
        let batch = batch.name()?;
        let names = batches::members(&context.store, &batch)?;
        let states = States::new(&context.store, &context.sources)?;
        let parts = parallel::map(&names, |name| part(&context.store, name, states.of(name)));
        let (done, total, uncounted) = Volume::sum(parts.iter().map(|part| part.volume));
        let rate = parts.iter().map(|part| part.rate).sum();
        let stretches: Vec<Stretch> = parts.into_iter().flat_map(|part| part.stretches).collect();
        Ok(BatchProgress {
            tasks: names.len(),
            uncounted,
            messages_done: done.messages,
            messages_total: total.messages,
            bytes_done: done.bytes,
            bytes_total: total.bytes,
            rate,
            seconds_left: seconds_left(done, total, uncounted, names.len(), rate),
            throughput: throughput::of(&stretches, now()),
            start_at: start::earliest(&Snapshot::read(&context.store), &names, now()),
            cutover: Cutover::of(&context.store, &batch),
            assess: batch_job::progress_of(&context.store, &batch, &names, Kind::Assess),
            verify: batch_job::progress_of(&context.store, &batch, &names, Kind::Verify),
        })
    }
}

fn part(store: &Store, name: &TaskName, state: State) -> Part {
    let history = store.history(name);
    let report = outcome::report(store, name, store.status(name));
    let progress = (state == State::Running).then(|| store.progress(name)).flatten();
    let volume = Volume::of(&Known {
        history: &history,
        report: report.as_ref(),
        progress: progress.as_ref(),
        counted: batch_report::assessed(store, name).and_then(|found| found.counted()),
    });
    let mut stretches: Vec<Stretch> = history.iter().map(Stretch::from).collect();
    stretches.extend(progress.as_ref().map(Stretch::from));
    Part {
        volume,
        rate: progress.as_ref().map_or(0, Progress::rate),
        stretches,
    }
}

/// Mail that no one has counted is taken for as much as that of the others.
fn seconds_left(done: Amount, total: Amount, uncounted: usize, tasks: usize, rate: u64) -> Option<u64> {
    let counted = u64::try_from(tasks.checked_sub(uncounted)?).ok()?;
    let tasks = u64::try_from(tasks).ok()?;
    let expected = total.bytes.checked_mul(tasks)?.checked_div(counted)?;
    expected.saturating_sub(done.bytes).checked_div(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_all_mail_also_of_what_no_one_has_counted() {
        let bytes = |bytes| Amount { messages: 0, bytes };
        assert_eq!(seconds_left(bytes(100), bytes(300), 0, 3, 10), Some(20));
        assert_eq!(seconds_left(bytes(100), bytes(300), 1, 4, 10), Some(30));
        assert_eq!(seconds_left(bytes(300), bytes(300), 0, 3, 10), Some(0));
        for (uncounted, rate) in [(0, 0), (3, 10)] {
            assert_eq!(seconds_left(bytes(1), bytes(3), uncounted, 3, rate), None);
        }
    }
}
