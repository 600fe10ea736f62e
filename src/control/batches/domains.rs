// SPDX-License-Identifier: GPL-3.0-or-later
//! The domains whose mail a batch moves.

use std::collections::BTreeSet;

use crate::names;
use crate::task::{Store, TaskName};

/// The domains of the remote accounts, sorted, as DNS knows them. An account that is no address has none, and so has a
/// task that is damaged.
pub fn of(store: &Store, tasks: &[TaskName]) -> Vec<String> {
    let mut domains = BTreeSet::new();
    for name in tasks {
        let account = match store.options(name).source {
            Some(link) => Some(link.mailbox.to_string()),
            None => {
                let task = store.load(name).ok().flatten();
                task.map(|task| task.remote_user.to_string())
            }
        };
        domains.extend(account.as_deref().and_then(domain));
    }
    domains.into_iter().collect()
}

/// The domain of `user@domain`, or of `user@domain*master`.
fn domain(account: &str) -> Option<String> {
    let mailbox = account.split_once('*').map_or(account, |(mailbox, _)| mailbox);
    let (_, domain) = mailbox.rsplit_once('@')?;
    let ascii = names::ascii_host(domain).ok()?.to_lowercase();
    ascii.contains('.').then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_domain_and_a_name_has_none() {
        assert_eq!(domain("anna@Old.Example").as_deref(), Some("old.example"));
        assert_eq!(domain("anna@old.example*vmail").as_deref(), Some("old.example"));
        assert_eq!(
            domain("a@b@bücher.example").as_deref(),
            Some("xn--bcher-kva.example")
        );
        for account in [
            "anna",
            "anna*vmail@old.example",
            "anna@",
            "anna@local",
            "anna@xn--a.b",
        ] {
            assert_eq!(domain(account), None, "{account}");
        }
    }
}
