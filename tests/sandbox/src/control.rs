// SPDX-License-Identifier: GPL-3.0-or-later
//! What other processes may ask of a running sandbox: its servers and the cluster's API live in one process,
//! and only that one can change them.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use sandbox::{Sandbox, Side};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A request, one line of JSON.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Creates users, or gives those that are there another password.
    AddUsers {
        /// On the local server; else on the remote one.
        local: bool,
        /// Their names.
        users: Vec<String>,
        /// The password of all of them.
        password: String,
    },
}

fn socket(base: &Path) -> PathBuf {
    base.join("control")
}

/// Answers requests until `wait` is over.
pub(crate) fn serve_while(
    sandbox: &Sandbox,
    wait: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let path = socket(sandbox.node().base());
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for connection in listener.incoming() {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                if let Err(error) = connection
                    .map_err(Into::into)
                    .and_then(|stream| answer(sandbox, stream))
                {
                    eprintln!("sandbox: {error:#}");
                }
            }
        });
        let result = wait();
        done.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        UnixStream::connect(&path)?;
        result
    })
}

/// Asks the sandbox in `base`.
pub(crate) fn ask(base: &Path, request: &Request) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(socket(base))
        .with_context(|| format!("no sandbox that was started with `run` is in {}", base.display()))?;
    writeln!(stream, "{}", serde_json::to_string(request)?)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match serde_json::from_str::<Value>(&line).context("the sandbox went away")?["error"].as_str() {
        Some(error) => bail!("{error}"),
        None => Ok(()),
    }
}

fn answer(sandbox: &Sandbox, mut stream: UnixStream) -> anyhow::Result<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let result = serde_json::from_str(&line)
        .context("this is no request")
        .and_then(|request| perform(sandbox, request));
    let answer = match result {
        Ok(()) => json!({}),
        Err(error) => json!({"error": format!("{error:#}")}),
    };
    writeln!(stream, "{answer}").context("the client went away")
}

fn perform(sandbox: &Sandbox, request: Request) -> anyhow::Result<()> {
    let Request::AddUsers {
        local,
        users,
        password,
    } = request;
    let server = sandbox.server(if local { Side::Local } else { Side::Remote });
    for user in &users {
        server.set_user(user, &password)?;
    }
    if local {
        let mailboxes = server.users().iter().map(|user| json!({"user": user})).collect();
        sandbox.api().set_mailboxes(mailboxes);
    }
    Ok(())
}
