// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::sources;
use ns8_imapsync::error::{Error, Refusal, Result};
use ns8_imapsync::source::oauth::discovery;
use ns8_imapsync::source::{Source, SourceFields};
use ns8_imapsync::task::SourceId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::Gather;
use crate::common::provider;

/// Creates a source, or edits the one with that id together with all its tasks.
pub(crate) struct SaveSource;

/// The source that was stored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    /// Its id.
    source_id: String,
}

impl Action for SaveSource {
    const NAME: &'static str = "save-source";
    const ABOUT: &'static str = "Creates or edits a source: a remote server and how to sign in there";
    type Input = SourceFields;
    type Output = Saved;

    fn run(context: &Context, mut fields: SourceFields) -> Result<Saved> {
        let mut gather = Gather::default();
        let given = fields.source_id.as_deref().filter(|id| !id.is_empty());
        let id = match given {
            Some(id) => gather.text("source_id", id, SourceId::parse),
            None => Some(
                context
                    .sources
                    .free_id(fields.label.as_deref().unwrap_or_default())?,
            ),
        };
        gather.end()?;
        let id = id.ok_or_else(|| Error::from(Refusal::required("source_id")))?;
        discovery::complete(&mut fields, &provider::network()).map_err(provider::discovery_error)?;
        // A damaged source is mended by an edit that brings everything.
        let former = context.sources.read(&id).ok().flatten();
        context.store.create_folders()?;
        let source = Source::read(id, &fields, former.as_ref())?;
        sources::save(&context.sources, &source)?;
        Ok(Saved {
            source_id: source.id.to_string(),
        })
    }
}
