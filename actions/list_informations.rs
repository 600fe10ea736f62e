// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::from_value;

use crate::common::context::Context;
use crate::common::frame::Action;
use crate::common::selection::TaskReference;

/// Counts folders, messages and bytes on both sides (contract section 3).
pub struct ListInformations;

/// The counts; host1 is the remote side. Without a status of true there are none.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    status: bool,
    #[serde(flatten)]
    sides: Option<Sides>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Sides {
    host1_folders: u64,
    host2_folders: u64,
    host1_messages: u64,
    host2_messages: u64,
    host1_sizes: u64,
    host2_sizes: u64,
}

impl Action for ListInformations {
    const NAME: &'static str = "list-informations";
    const ABOUT: &'static str = "Counts folders, messages and bytes of a task on both sides";
    type Input = TaskReference;
    type Output = Counts;

    fn run(context: &Context, task: TaskReference) -> Result<Counts> {
        let counted = task
            .find(&context.store)
            .and_then(|name| Container::find()?.answer(&["list-informations", name.as_str()], None));
        Ok(match counted.map(from_value::<Counts>) {
            Ok(Ok(counts)) if counts.sides.is_some() => counts,
            Ok(Ok(_)) => Counts::default(),
            Ok(Err(error)) => {
                journal::error(format_args!("the counts are not understood: {error}"));
                Counts::default()
            }
            // The page asks for this in passing: an error would raise an alarm there.
            Err(error) => {
                journal::error(error);
                Counts::default()
            }
        })
    }
}
