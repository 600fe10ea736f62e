// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection to one IMAP server (RFC 3501, and what servers offer beyond it).
//!
//! From the outside in:
//! - [`mod@login`]: connect, protect, authenticate; gives a [`Session`].
//! - [`session`]: commands, several in flight, on a logged-in connection; [`mailboxes`], [`opening`], [`mailbox_requests`] and [`messages`]: what they do.
//! - [`command`], [`response`] ([`listed`]), [`status`]: what goes out and what comes back, as types; [`scan`] reads the words.
//! - [`wire`]: lines and literals; [`literal`] keeps large ones out of memory, in the [`spool`]; [`begun`]: what came of one
//!   before the connection broke.
//! - [`limits`]: what a server may cost; [`throttle`]: how fast it is read.
//! - [`mask`], [`notices`]: what a server says to people, without the secrets that it was told.
//! - [`quirks`]: servers that go their own way. [`workarounds`]: what one of them turned out not to support.
//! - [`dial`] ([`proxy`], [`quick_ack`]), [`tls`] ([`certificate`]): the way to the server.
//! - [`mailbox`], [`utf7`], [`uidset`], [`flags`], [`date`], [`capability`]: the nouns.

pub mod answer_time;
mod begun;
pub mod capability;
pub mod certificate;
pub mod charset;
mod command;
pub mod date;
pub mod dial;
pub mod error;
mod escapes;
pub mod flags;
pub mod limits;
mod listed;
pub mod literal;
pub mod login;
pub mod mailbox;
pub mod mailbox_id;
pub mod mailbox_requests;
pub mod mailboxes;
pub mod mask;
pub mod messages;
pub mod namespace;
pub mod notices;
pub mod opening;
pub mod proxy;
pub mod quick_ack;
pub mod quirks;
mod quota;
pub mod response;
pub mod scan;
#[cfg(test)]
pub(crate) mod script;
pub mod session;
pub mod spool;
pub mod status;
pub mod throttle;
pub mod tls;
mod trace;
pub mod uidset;
pub mod utf7;
pub mod wire;
pub mod workarounds;

pub use begun::Begun;
pub use capability::{Capabilities, Capability};
pub use certificate::Certificate;
pub use command::Command;
pub use date::InternalDate;
pub use error::{Error, Result};
pub use flags::Flags;
pub use listed::Listed;
pub use literal::Literal;
pub use login::{ConnectionInfo, Credentials, Encryption, Endpoint, login};
pub use mailbox::Mailbox;
pub use mailbox_id::MailboxId;
pub use mailbox_requests::MailboxRequest;
pub use mailboxes::ListExtras;
pub use mask::Mask;
pub use messages::{Message, among};
pub use namespace::{Namespace, Namespaces, Owner};
pub use notices::Alerts;
pub use opening::Selected;
pub use quota::StorageQuota;
pub use response::{Code, Fetch, Kind, MailboxStatus, Response, StatusLine, Untagged};
pub use session::{Session, Tag};
pub use spool::Spool;
pub use tls::{Protocols, Shared as TlsShared, TlsInfo, Trust};
pub use trace::TARGET as TRACE_TARGET;
pub use uidset::UidSet;
pub use workarounds::Workarounds;
