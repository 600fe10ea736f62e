// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking the supervisor.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::message::{Answer, Request};
use super::queue_file::QueueFile;
use super::socket;
use crate::task::Store;

/// How long a supervisor that has only just started, or is about to end, is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at the progress of a run.
const GLANCE: Duration = Duration::from_millis(200);

/// A connection to the supervisor.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// How the following of runs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The supervisor has said everything.
    ToTheEnd,
    /// The follower was told to end.
    Told,
}

impl Client {
    /// Connects; `None` when there is no supervisor.
    ///
    /// # Errors
    /// When there is one that does not listen.
    pub fn connect(store: &Store) -> io::Result<Option<Self>> {
        let file = QueueFile::of(store);
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        while file.is_served() {
            match socket::connect(file.folder()) {
                Ok(stream) => return Ok(Some(Self { stream })),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        Ok(None)
    }

    /// Connects if the supervisor listens at this moment; it then has so long for each answer.
    pub fn connect_now(store: &Store, patience: Duration) -> Option<Self> {
        let file = QueueFile::of(store);
        if !file.is_served() {
            return None;
        }
        let stream = socket::connect(file.folder()).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        stream.set_write_timeout(Some(patience)).ok()?;
        Some(Self { stream })
    }

    /// Asks, and hands each answer to `each`.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no answer.
    pub fn ask(mut self, request: &Request, mut each: impl FnMut(Answer)) -> io::Result<()> {
        self.stream.write_all(&line(request)?)?;
        for answer in BufReader::new(self.stream).lines() {
            each(serde_json::from_str(&answer?)?);
        }
        Ok(())
    }

    /// The same, until this process is told to end; `look` is called now and then meanwhile. A terminal that goes away
    /// ends the process, and nothing else.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn follow(
        self,
        request: &Request,
        mut each: impl FnMut(Answer),
        mut look: impl FnMut(),
    ) -> io::Result<Followed> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            self.stream.set_nonblocking(true)?;
            let (reader, mut writer) = tokio::net::UnixStream::from_std(self.stream)?.into_split();
            writer.write_all(&line(request)?).await?;
            let mut answers = tokio::io::BufReader::new(reader).lines();
            let mut glances = tokio::time::interval(GLANCE);
            // Whose run it is, the first answer says; one that cannot wait for it says so twice.
            let (mut heard, mut told) = (false, 0);
            while told == 0 || !heard && told < 2 {
                tokio::select! {
                    biased;
                    answer = answers.next_line() => match answer? {
                        Some(answer) => {
                            heard = true;
                            each(serde_json::from_str(&answer)?);
                        }
                        None => return Ok(Followed::ToTheEnd),
                    },
                    _ = terminate.recv() => told += 1,
                    _ = interrupt.recv() => told += 1,
                    _ = glances.tick() => look(),
                }
            }
            Ok(Followed::Told)
        })
    }
}

fn line(request: &Request) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    Ok(line)
}
