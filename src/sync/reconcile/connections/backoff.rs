// SPDX-License-Identifier: GPL-3.0-or-later
//! Pauses between attempts, each longer than the one before.

use std::time::Duration;

use crate::imap::{Error, quirks};

/// Counts attempts that led nowhere.
#[derive(Debug)]
pub struct Backoff {
    attempts: u32,
    limit: u32,
    /// Those that took all the time, or all the data, that a server gets.
    in_vain: u32,
    fallbacks: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            attempts: 0,
            limit: Self::ATTEMPTS,
            in_vain: 0,
            fallbacks: 0,
        }
    }
}

impl Backoff {
    /// After so many attempts without progress it is left to the next run.
    const ATTEMPTS: u32 = 5;

    const IN_VAIN: u32 = 3;

    /// How often a server may want to be asked in another way; there are not so many ways.
    const FALLBACKS: u32 = 10;

    /// For the first connection of a run, where somebody may be waiting for the answer.
    pub fn brief() -> Self {
        Self {
            limit: 3,
            ..Self::default()
        }
    }

    /// Waits before the next attempt as long as the server asks for, where it does. A server that leads nowhere, or floods,
    /// gets fewer attempts; one that is to be asked in another way is asked at once.
    pub async fn pause_after(&mut self, error: &Error) -> bool {
        let text = match error {
            Error::Unavailable(text) => text,
            Error::Fallback(_) => {
                self.fallbacks += 1;
                return self.fallbacks <= Self::FALLBACKS;
            }
            Error::Timeout(_) | Error::Limit(_) => {
                self.in_vain += 1;
                return self.in_vain < Self::IN_VAIN && self.pause().await;
            }
            _ => return self.pause().await,
        };
        if self.attempts >= self.limit {
            return false;
        }
        match quirks::suggested_pause(text) {
            Some(suggested) => {
                self.attempts += 1;
                tokio::time::sleep(suggested).await;
                true
            }
            None => self.pause().await,
        }
    }

    /// Waits before the next attempt; `false` when it is time to give up.
    pub async fn pause(&mut self) -> bool {
        if self.attempts >= self.limit {
            return false;
        }
        // 0.2, 0.8, 3.2, 12.8, 30 seconds.
        let pause = Duration::from_millis(200 * 4u64.pow(self.attempts)).min(Duration::from_secs(30));
        self.attempts += 1;
        tokio::time::sleep(pause).await;
        true
    }
}
