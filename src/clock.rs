// SPDX-License-Identifier: GPL-3.0-or-later
//! What time it is.

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
