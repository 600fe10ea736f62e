// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::BTreeMap;

use ns8_imapsync::agent::journal;
use ns8_imapsync::error::Result;
use ns8_imapsync::source::Description;
use ns8_imapsync::source::preset::{PRESETS, Preset};
use ns8_imapsync::task::SourceId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Nothing;
use crate::common::selection::TaskReference;
use ns8_imapsync::clock::now;

/// Lists the sources, without any secret, and the presets that new ones start from. It answers from what is stored.
pub(crate) struct ListSources;

/// The sources and the presets.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    sources: Vec<Entry>,
    presets: Vec<Preset>,
}

/// One source.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct Entry {
    #[serde(flatten)]
    description: Description,
    /// The tasks that use it.
    tasks: Vec<TaskReference>,
}

impl Action for ListSources {
    const NAME: &'static str = "list-sources";
    const ABOUT: &'static str = "Lists the sources, without any secret, and the presets for new ones";
    type Input = Nothing;
    type Output = Listing;

    fn run(context: &Context, _: Nothing) -> Result<Listing> {
        let now = now();
        let mut followers = followers(context)?;
        let mut sources = Vec::new();
        for id in context.sources.ids()? {
            match context.sources.load(&id) {
                Ok(source) => sources.push(Entry {
                    description: source.describe(now),
                    tasks: followers.remove(&id).unwrap_or_default(),
                }),
                Err(error) => journal::error(format_args!("the source {id} cannot be listed: {error}")),
            }
        }
        Ok(Listing {
            sources,
            presets: PRESETS.to_vec(),
        })
    }
}

/// The tasks of each source; damaged ones are reported by list-tasks.
fn followers(context: &Context) -> Result<BTreeMap<SourceId, Vec<TaskReference>>> {
    let store = &context.store;
    let mut followers: BTreeMap<SourceId, Vec<TaskReference>> = BTreeMap::new();
    for name in store.names()? {
        if let Some(link) = store.options(&name).source
            && let Ok(Some(task)) = store.load(&name)
        {
            followers.entry(link.id).or_default().push(TaskReference {
                localuser: task.local_user.to_string(),
                task_id: task.id.to_string(),
            });
        }
    }
    Ok(followers)
}
