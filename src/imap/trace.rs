// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes over the wire, for those who look for a fault: commands and responses as `tracing` events of the target
//! [`TARGET`], once a session has logged in. What literals and the quoted strings of a FETCH hold is mail, and is never
//! part of it. Costs a comparison where no one listens.

use std::sync::atomic::{AtomicU32, Ordering};

/// By what subscribers know these events.
pub const TARGET: &str = "imap";

/// A longer line is cut, without a mark: those who hide secrets have to see that one is cut off.
const LONGEST: usize = 16 * 1024;

static CONNECTIONS: AtomicU32 = AtomicU32::new(0);

/// The trace of one connection; silent until it is started.
#[derive(Debug, Default)]
pub(super) struct Trace(Option<u32>);

impl Trace {
    /// From now on, what goes over the wire is told.
    pub(super) fn start(&mut self, server: &str) {
        if tracing::enabled!(target: TARGET, tracing::Level::TRACE) {
            let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(target: TARGET, "{number}: logged in at {server}");
            self.0 = Some(number);
        }
    }

    /// Text of a command.
    pub(super) fn sent(&self, text: &[u8]) {
        if let Some(number) = self.0 {
            tracing::trace!(target: TARGET, "{number} > {}", shown(text));
        }
    }

    /// A response without its literals.
    pub(super) fn received(&self, text: &[u8]) {
        if let Some(number) = self.0 {
            tracing::trace!(target: TARGET, "{number} < {}", shown(&without_mail(text)));
        }
    }
}

fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]);
    text.trim_end().to_owned()
}

/// A response, with nothing in the quoted strings of a FETCH.
fn without_mail(text: &[u8]) -> Vec<u8> {
    let is_fetch = text
        .split(|&octet| octet == b' ')
        .nth(2)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"FETCH"));
    if !is_fetch {
        return text.to_vec();
    }
    let (mut out, mut quoted, mut escaped) = (vec![], false, false);
    for &octet in text {
        let ends = octet == b'"' && !escaped;
        if !quoted || ends {
            out.push(octet);
        }
        quoted ^= ends;
        escaped = quoted && octet == b'\\' && !escaped;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_mail_is_left_out_and_nothing_else() {
        let shown = |text: &str| String::from_utf8(without_mail(text.as_bytes())).unwrap();
        assert_eq!(
            shown(r#"* 1 FETCH (UID 7 BODY[HEADER] "Subject: a \"secret\" \\" FLAGS (\Seen))"#),
            r#"* 1 FETCH (UID 7 BODY[HEADER] "" FLAGS (\Seen))"#
        );
        let list = r#"* LIST () "." "Work""#;
        assert_eq!(shown(list), list);
    }
}
