// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run or a connection that broke off may still bring about: the server may be at work on commands whose answer
//! no one will read. It is looked at until two looks agree.

use std::time::Duration;

use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::state::Flag;

/// Between two looks after a run that was killed: its server may have a whole batch before it.
const AFTER_CRASH: Duration = Duration::from_secs(1);

/// Between two looks after a lost connection, which was noticed some time after it broke.
pub const AFTER_LOSS: Duration = Duration::from_millis(500);

/// A mailbox that never comes to rest is busy for other reasons.
const LOOKS: u32 = 15;

/// Looks until two looks agree; gives the last one.
pub async fn poll_until_stable<T: PartialEq, E>(
    pause: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut before = look().await?;
    for _ in 1..LOOKS {
        tokio::time::sleep(pause).await;
        let now = look().await?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
    Ok(before)
}

/// A run that was killed may have left commands that the server is still working on. It gets the time it needs, so that
/// the comparison sees their outcome.
pub async fn settle_after_crash(shared: &Shared, connections: &mut Connections) -> Result<(), Failure> {
    let unfinished = {
        let state = shared.state.borrow();
        let cut_off = state.is_set(Flag::Running)?;
        state.set(Flag::Running, true)?;
        cut_off && state.is_anything_planned()?
    };
    if !unfinished {
        return Ok(());
    }
    let settled = connections::with_reconnect(shared, connections, async |connections| {
        let statuses = poll_until_stable(AFTER_CRASH, async || {
            let listed = connections.local.list_status().await?;
            let statuses = listed
                .into_iter()
                .map(|(listed, status)| (listed.mailbox, status));
            FolderResult::Ok(statuses.collect::<Vec<_>>())
        });
        statuses.await.map(drop)
    });
    Ok(settled.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn two_looks_that_agree_are_enough() {
        run(async {
            let mut answers = [1, 2, 3, 3, 4].into_iter();
            let seen =
                poll_until_stable(Duration::ZERO, async || answers.next().ok_or("asked too often")).await;
            assert_eq!(seen, Ok(3));
        });
    }

    #[test]
    fn what_never_rests_is_left_alone_after_a_while() {
        run(async {
            let mut count = 0;
            let seen: Result<u32, ()> = poll_until_stable(Duration::ZERO, async || {
                count += 1;
                Ok(count)
            })
            .await;
            assert_eq!(seen, Ok(LOOKS));
        });
    }
}
