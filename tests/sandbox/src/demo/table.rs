// SPDX-License-Identifier: GPL-3.0-or-later
//! Folder by folder, what is on either side.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::compare::local_name;
use crate::mail::Mailbox;

/// A table for people: messages and bytes of each folder on both sides, and their totals.
pub fn table(remote: &Mailbox, local: &Mailbox) -> String {
    let mut rows: BTreeMap<String, [(usize, u64); 2]> = BTreeMap::new();
    for (folder, messages) in remote {
        rows.entry(local_name(folder)).or_default()[0] = count(messages);
    }
    for (folder, messages) in local {
        rows.entry(folder.clone()).or_default()[1] = count(messages);
    }
    let mut total = [(0, 0); 2];
    for row in rows.values() {
        for (sum, (messages, bytes)) in total.iter_mut().zip(row) {
            sum.0 += messages;
            sum.1 += bytes;
        }
    }
    let mut text = format!("{:<34}{:>22}{:>22}\n", "folder", "remote", "local");
    for (folder, row) in &rows {
        line(&mut text, folder, row);
    }
    line(&mut text, "total", &total);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}/{} messages are on the local side",
        total[1].0, total[0].0
    );
    text
}

fn count(messages: &[crate::mail::Message]) -> (usize, u64) {
    (messages.len(), messages.iter().map(|message| message.size).sum())
}

fn line(text: &mut String, name: &str, [remote, local]: &[(usize, u64); 2]) {
    // Wide characters take two columns of a terminal.
    let wide = name.chars().filter(|character| *character > '\u{2e7f}').count();
    let pad = 34usize.saturating_sub(name.chars().count() + wide);
    let _ = writeln!(
        text,
        "{name}{:pad$}{:>8} {:>10} kB{:>8} {:>10} kB",
        "",
        remote.0,
        remote.1 / 1000,
        local.0,
        local.1 / 1000
    );
}
