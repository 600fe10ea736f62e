// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection to the supervisor: a request, and whatever there is to tell about it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::supervisor::message::{Answer, Request};

/// Names of more tasks than there can be.
const LONGEST_REQUEST: u64 = 16 * 1024 * 1024;
/// A client that connects has its request ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where answers go; who has gone away hears nothing.
pub(super) type Reply = UnboundedSender<Answer>;

/// Reads the request, hands it over, and writes the answers until there are no more.
pub(super) async fn converse(stream: UnixStream, events: UnboundedSender<(Request, Reply)>) {
    let (reader, mut writer) = stream.into_split();
    let mut text = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST_REQUEST));
    let read = timeout(REQUEST_TIMEOUT, reader.read_line(&mut text)).await;
    if !matches!(read, Ok(Ok(1..))) {
        return;
    }
    let (reply, mut answers) = unbounded_channel();
    match serde_json::from_str(&text) {
        Ok(request) => drop(events.send((request, reply))),
        Err(error) => {
            let why = format!("invalid request: {error}");
            drop(reply.send(Answer::Failed { why }));
            drop(reply);
        }
    }
    while let Some(answer) = answers.recv().await {
        // The runs go on whether or not somebody listens.
        if write(&mut writer, &answer).await.is_err() {
            return;
        }
    }
}

async fn write(writer: &mut (impl tokio::io::AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
