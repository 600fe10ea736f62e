// SPDX-License-Identifier: GPL-3.0-or-later
//! A server for tests that answers line by line what it was told to.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use super::capability::Capabilities;
use super::notices::Notices;
use super::session::Session;
use super::wire::Wire;

/// A session that has logged in, over a stream.
pub(crate) fn session_over(stream: DuplexStream, capabilities: &str) -> Session {
    let wire = Wire::new(Box::new(stream), Duration::from_secs(300));
    let mut session = Session::new(wire, Notices::default());
    session.set_capabilities(Capabilities::parse(capabilities));
    session
}

/// Talks to a server that expects commands in this order, each without its tag, and answers each with these lines; `%`
/// stands for the tag.
pub(super) fn converse<T>(
    capabilities: &str,
    script: &[(&str, &str)],
    talk: impl AsyncFnOnce(&mut Session) -> T,
) -> T {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let mut session = session_over(ours, capabilities);
    let server = async {
        let (reader, mut writer) = tokio::io::split(theirs);
        let mut lines = BufReader::new(reader).lines();
        for (expected, answer) in script {
            let line = lines.next_line().await.unwrap().unwrap_or_default();
            // What answers a challenge has no tag.
            let (tag, command) = line.split_once(' ').unwrap_or(("", &line));
            assert_eq!(command, *expected);
            for reply in answer.lines() {
                let reply = match reply.strip_prefix('%') {
                    Some(rest) => format!("{tag}{rest}\r\n"),
                    None => format!("{reply}\r\n"),
                };
                writer.write_all(reply.as_bytes()).await.unwrap();
            }
        }
        (lines, writer)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::join!(server, talk(&mut session)).1 })
}
