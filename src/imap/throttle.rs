// SPDX-License-Identifier: GPL-3.0-or-later
//! Slows down reading from connections. A client that reads more slowly makes the server wait, by TCP's own means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

/// Says when connections may read on, and how much. It is asked by many of them in turn, and never waits itself.
pub trait Governor: Send + Sync {
    /// Whether a connection may read now.
    fn turn(&self) -> Turn;
    /// So many octets were read.
    fn spend(&self, octets: usize);
}

/// Whether a connection may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Up to so many octets.
    Read(u64),
    /// It asks again after so long.
    Wait(Duration),
}

/// Holds connections back, or does nothing. Copies share the governor.
#[derive(Clone, Default)]
pub struct Throttle(Option<Arc<dyn Governor>>);

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Throttle").field(&self.0.is_some()).finish()
    }
}

impl Throttle {
    /// As this governor says.
    pub fn by(governor: Arc<dyn Governor>) -> Self {
        Self(Some(governor))
    }

    /// Waits until the connection may read; how many octets. Dropping the future loses nothing.
    pub(super) async fn turn(&self) -> u64 {
        let Some(governor) = &self.0 else {
            return u64::MAX;
        };
        loop {
            match governor.turn() {
                Turn::Read(octets) => return octets.max(1),
                Turn::Wait(pause) => sleep(pause).await,
            }
        }
    }

    /// So many octets were read.
    pub(super) fn spend(&self, octets: usize) {
        if let Some(governor) = &self.0 {
            governor.spend(octets);
        }
    }
}
