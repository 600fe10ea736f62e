// SPDX-License-Identifier: GPL-3.0-or-later
//! One step: its own process group, with the agent's descriptor as number 3.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, Read, Write, pipe};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::locked;

/// The process group of the step that runs now, for those who want to cancel it.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: Mutex<(Option<Pid>, bool)>,
}

impl Group {
    pub(super) fn cancel(&self) {
        let mut state = locked(&self.state);
        state.1 = true;
        if let Some(group) = state.0 {
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        locked(&self.state).1
    }

    fn set(&self, id: Option<u32>) {
        locked(&self.state).0 = id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    }

    fn kill(&self) {
        if let Some(group) = locked(&self.state).0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What to run.
pub(super) struct Spawn<'a> {
    pub program: PathBuf,
    pub arguments: &'a [&'a str],
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub input: Vec<u8>,
    /// Where the lines of descriptor 3 go; without it the process gets no such descriptor.
    pub commands: Option<Arc<Mutex<Vec<Vec<String>>>>>,
    pub group: &'a Group,
    pub patience: Duration,
}

/// What came of it.
pub(super) struct Ended {
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Starts a program that may just have been copied: a process that another thread started meanwhile holds the file as it was
/// written to, until it is the program that it is to become.
fn start(command: &mut Command) -> std::io::Result<Child> {
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            started => return started,
        }
    }
}

impl Spawn<'_> {
    /// Runs it until it has ended *and* every holder of its output descriptors has closed them, as the agent does.
    pub(super) fn run(self) -> anyhow::Result<Ended> {
        let mut command = Command::new(&self.program);
        command
            .args(self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let commands = match self.commands {
            None => None,
            Some(commands) => {
                let (reader, writer) = pipe()?;
                command.fd_mappings(vec![FdMapping {
                    parent_fd: writer.into(),
                    child_fd: 3,
                }])?;
                Some((reader, commands))
            }
        };
        let mut child =
            start(&mut command).with_context(|| format!("cannot run the step {}", self.program.display()))?;
        // Our copies of the descriptors go with the command.
        drop(command);
        self.group.set(Some(child.id()));

        let stdout = collect(child.stdout.take().context("no standard output")?);
        let stderr = collect(child.stderr.take().context("no standard error")?);
        let follower =
            commands.map(|(reader, commands)| std::thread::spawn(move || follow(reader, &commands)));
        let mut stdin = child.stdin.take().context("no standard input")?;
        let input = self.input;
        // A step may end without reading its input: that is its own affair.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));

        let (done, closed) = channel();
        let waiter = std::thread::spawn(move || {
            let status = child.wait();
            drop(feeder.join());
            let stdout = stdout.join();
            let stderr = stderr.join();
            drop(follower.map(JoinHandle::join));
            let _ = done.send(());
            (status, stdout, stderr)
        });
        let started = Instant::now();
        if closed.recv_timeout(self.patience).is_err() {
            self.group.kill();
            bail!(
                "{} did not end, or left a descriptor open in a process that lives on, for {:?}",
                self.program.display(),
                started.elapsed()
            );
        }
        self.group.set(None);
        let (status, stdout, stderr) = waiter
            .join()
            .map_err(|_| anyhow!("a thread of the agent panicked"))?;
        Ok(Ended {
            exit_code: status?.code().unwrap_or(-1),
            stdout: stdout.unwrap_or_default(),
            stderr: stderr.unwrap_or_default(),
        })
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(from.read_to_end(&mut bytes));
        bytes
    })
}

fn follow(from: PipeReader, commands: &Mutex<Vec<Vec<String>>>) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        locked(commands).push(words(&line));
    }
}

/// Splits a line at spaces; a word in double quotes may hold spaces, and quotes written twice.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut word = String::new();
            let mut characters = quoted.char_indices().peekable();
            let mut end = quoted.len();
            while let Some((at, character)) = characters.next() {
                if character == '"' {
                    if characters.peek().is_none_or(|(_, next)| *next != '"') {
                        end = at + 1;
                        break;
                    }
                    characters.next();
                }
                word.push(character);
            }
            words.push(word);
            rest = quoted.get(end..).unwrap_or_default().trim_start();
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.to_owned());
            rest = after.trim_start();
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn command_lines_are_split_at_spaces_and_quotes_hold_together() {
        assert_eq!(words("set-progress 50"), ["set-progress", "50"]);
        assert_eq!(
            words("  set-weight \"20 step\" 3"),
            ["set-weight", "20 step", "3"]
        );
        assert_eq!(words("say \"a \"\"b\"\"\""), ["say", "a \"b\""]);
        assert!(words("   ").is_empty());
    }
}
