// SPDX-License-Identifier: GPL-3.0-or-later
//! The real servers of this binary: one sandbox for all tests, with its own accounts for each case.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use sandbox::{Sandbox, Side, wait_until};

/// Accounts on both sides that no other case uses, and a task between them.
pub(crate) type Case = sandbox::Case<'static>;

/// How many accounts are made at once. The servers look for new ones once a second, so that one by one would be slow.
const BLOCK: usize = 100;

/// The sandbox, and how many accounts were made and handed out.
struct Accounts {
    sandbox: &'static Sandbox,
    made: usize,
    used: usize,
}

static ACCOUNTS: Mutex<Option<Accounts>> = Mutex::new(None);

/// Empty accounts.
pub(crate) fn case() -> anyhow::Result<Case> {
    let mut shared = ACCOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Accounts {
            // It ends with the process.
            sandbox: Box::leak(Box::new(Sandbox::start()?)),
            made: 0,
            used: 0,
        });
    }
    let accounts = shared.as_mut().context("no sandbox")?;
    if accounts.used == accounts.made {
        accounts.make_more()?;
    }
    accounts.used += 1;
    Ok(Case::new(accounts.sandbox, &name(accounts.used)))
}

fn name(number: usize) -> String {
    format!("case{number}")
}

impl Accounts {
    fn make_more(&mut self) -> anyhow::Result<()> {
        let names: Vec<String> = (self.made + 1..=self.made + BLOCK).map(name).collect();
        self.sandbox.add_accounts(&names)?;
        self.made += BLOCK;
        let last = Case::new(self.sandbox, &name(self.made));
        let password = format!("Pw-{}", last.name);
        for side in [Side::Remote, Side::Local] {
            let (server, user) = (self.sandbox.server(side), last.user(side));
            wait_until(&format!("{user} to be known"), || {
                server.doveadm_run(&["auth", "test", &user, &password]).is_ok()
            })?;
        }
        Ok(())
    }
}
