// SPDX-License-Identifier: GPL-3.0-or-later
//! Which remote folders are pulled, and what they are called locally.
//!
//! `side`: a side as listed, whose its folders are · `selection`: what is left out and why · `special_use`,
//! `well_known`: what folders are for · `local_names`: names that the local server accepts · `routes`: folders that
//! do not keep their names · `pairing`: all of it together, so that no two folders become one

mod local_names;
mod pairing;
mod pattern_hits;
mod routes;
mod selection;
mod side;
mod special_use;
#[cfg(test)]
mod tests;
mod well_known;

pub use pairing::{Known, Pair, local_names, pair};
pub use pattern_hits::{PatternHits, pattern_hits};
pub use selection::{Chooser, LeftOut, Meaning, Selection};
pub use side::{Provider, Side};
pub use special_use::SpecialUse;

use crate::imap::Listed;

/// Whether a folder has a special use (RFC 6154), so that its owner's mail programs rely on it.
pub fn is_special(listed: &Listed) -> bool {
    SpecialUse::of(listed).is_some()
}
