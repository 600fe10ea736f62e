// SPDX-License-Identifier: GPL-3.0-or-later
//! Looking at both sides without changing them.
//!
//! [`assess`]: whether a mailbox can be moved ·
//! [`candidate`]: a task that is not written yet · [`login_test`]: whether both logins work · [`count`]: folders,
//! messages and octets · [`preview`]: what a run would do · [`verify`]: whether both sides hold the same mail, and what
//! the ledger says they do.

pub mod assess;
pub mod candidate;
pub mod count;
pub mod login_test;
pub mod preview;
pub mod source_test;
pub mod verify;
