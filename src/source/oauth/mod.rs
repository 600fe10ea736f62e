// SPDX-License-Identifier: GPL-3.0-or-later
//! OAuth 2.0: how access tokens are got, kept and renewed.
//!
//! - [`flow`]: how the owner of a mailbox signs in at the provider

pub mod flow;
