// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::batches::{self, domains};
use ns8_imapsync::error::Result;
use ns8_imapsync::names::exchangers::{self, MailExchangers, NoExchanger};
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::batch::BatchReference;
use crate::common::context::Context;

/// So many domains are asked for at once; a migration mostly has one.
const DOMAINS: usize = 50;

/// Asks DNS where the mail of a batch's domains goes.
pub(crate) struct CheckDomains;

/// What DNS says now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Domains {
    domains: Vec<Domain>,
    /// Domains that were not asked for, since there are so many.
    left_out: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Domain {
    domain: String,
    /// `ok`, `no_such_name`, `no_record`, or `no_answer` of the name server.
    #[schemars(extend("enum" = ["ok", "no_such_name", "no_record", "no_answer"]))]
    status: &'static str,
    /// The MX records; the one that is tried first comes first.
    mx: Vec<Exchanger>,
    /// For how many seconds others still remember them; null where there are none.
    ttl: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Exchanger {
    preference: u16,
    host: String,
}

impl Action for CheckDomains {
    const NAME: &'static str = "check-domains";
    const ABOUT: &'static str = "Asks DNS where the mail of a batch's domains goes";
    type Input = BatchReference;
    type Output = Domains;

    fn run(context: &Context, batch: BatchReference) -> Result<Domains> {
        let names = batches::members(&context.store, &batch.name()?)?;
        let mut domains = domains::of(&context.store, &names);
        let left_out = domains.len().saturating_sub(DOMAINS);
        domains.truncate(DOMAINS);
        let answers = exchangers::of_domains(&domains);
        Ok(Domains {
            domains: domains
                .into_iter()
                .zip(answers)
                .map(|(domain, answer)| Domain::told(domain, answer))
                .collect(),
            left_out,
        })
    }
}

impl Domain {
    fn told(domain: String, answer: Result<MailExchangers, NoExchanger>) -> Self {
        let (status, found) = match answer {
            Ok(found) => ("ok", Some(found)),
            Err(NoExchanger::NoSuchName) => ("no_such_name", None),
            Err(NoExchanger::NoRecord) => ("no_record", None),
            Err(NoExchanger::NoAnswer) => ("no_answer", None),
        };
        let ttl = found.as_ref().map(|found| found.ttl);
        let hosts = found.map(|found| found.hosts).unwrap_or_default();
        let mx = hosts
            .into_iter()
            .map(|(preference, host)| Exchanger { preference, host })
            .collect();
        Self {
            domain,
            status,
            mx,
            ttl,
        }
    }
}
