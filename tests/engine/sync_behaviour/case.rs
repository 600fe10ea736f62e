// SPDX-License-Identifier: GPL-3.0-or-later
//! The sandbox of all cases, with accounts of its own for each.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{anyhow, ensure};
use sandbox::Sandbox;

/// Accounts on both sides that no other case uses, and a task between them.
pub type Case = sandbox::Case<'static>;

/// How many cases there may be. The servers know all of them from the beginning: they look for new ones once a second.
const ACCOUNTS: usize = 100;

/// Empty accounts.
pub fn case() -> anyhow::Result<Case> {
    static SANDBOX: OnceLock<Result<Sandbox, String>> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let start = || {
        let sandbox = Sandbox::start()?;
        sandbox.add_accounts(&(1..=ACCOUNTS).map(|n| format!("case{n}")).collect::<Vec<_>>())?;
        Ok(sandbox)
    };
    let made = SANDBOX.get_or_init(|| start().map_err(|error: anyhow::Error| format!("{error:#}")));
    let sandbox = made.as_ref().map_err(|error| anyhow!("no sandbox: {error}"))?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    ensure!(number <= ACCOUNTS, "there are more cases than accounts");
    Ok(Case::new(sandbox, &format!("case{number}")))
}
