// SPDX-License-Identifier: GPL-3.0-or-later
//! OAuth 2.0: how access tokens are got, kept and renewed.
//!
//! - [`http`]: the way to the provider · [`request`]: what is asked there, on each grant · [`reply`]: what comes
//!   back · [`assertion`]: signed statements · [`explain`]: what the provider's errors mean, and what to do about them
//! - [`tokens`]: the tokens of a source on disk, renewed once for all processes
//! - [`flow`]: how the owner of a mailbox signs in at the provider · [`discovery`]: where a provider's endpoints are

pub mod assertion;
pub mod discovery;
mod error;
pub mod explain;
pub mod flow;
pub mod http;
mod pending;
mod reply;
pub mod request;
pub mod tokens;

pub use error::{Denial, TokenError};
pub use explain::Explained;
pub use http::Network;
pub use tokens::{Token, Tokens};
