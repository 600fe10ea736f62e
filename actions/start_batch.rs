// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::container::Container;
use ns8_imapsync::control::batches::{self, start};
use ns8_imapsync::control::runs;
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::supervisor::queue_file::Snapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::action::Action;
use crate::common::batch;
use crate::common::context::Context;
use ns8_imapsync::clock::now;

/// How far ahead a start may be planned, in seconds. A time in milliseconds is further away.
const FURTHEST: i64 = 366 * 86_400;

/// Has the runs of all tasks of a batch begin at a time; what runs or waits already goes on.
pub(crate) struct StartBatch;

/// Which batch, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What it is called.
    batch: String,
    /// Seconds since 1970; null takes a former time back.
    #[serde(default)]
    at: Option<i64>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Planned {
    /// How many tasks begin at that time, or would have.
    tasks: usize,
}

impl Action for StartBatch {
    const NAME: &'static str = "start-batch";
    const ABOUT: &'static str = "Starts all tasks of a batch at a time";
    type Input = Input;
    type Output = Planned;

    fn run(context: &Context, input: Input) -> Result<Planned> {
        let batch = batch::named(&input.batch)?;
        let store = &context.store;
        if input.at.is_some_and(|at| at > now() + FURTHEST) {
            return Err(Refusal::new("at", ErrorKey::Invalid("at"), "it is more than a year ahead").into());
        }
        let names = batches::members(store, &batch)?;
        let queue = Snapshot::read(store);
        let chosen = match input.at {
            Some(_) => start::startable(store, &queue, names, now())?,
            None => start::planned(&queue, names, now()),
        };
        if !chosen.is_empty() {
            let container = Container::find()?;
            match input.at {
                Some(at) => runs::launch_at(store, &container, &chosen, at.max(0))?,
                None => container.stop(&chosen)?,
            }
        }
        Ok(Planned { tasks: chosen.len() })
    }
}
