// SPDX-License-Identifier: GPL-3.0-or-later
//! The container's crond: runs the lines of every file in `cron/`, minute by minute of its own clock.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Zoned};

use crate::node::Node;
use crate::{container, locked};

/// A thread that plays crond.
#[derive(Debug)]
pub struct Cron {
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Cron {
    /// Starts it. Its clock runs `speed` times as fast as the real one.
    pub fn start(node: &Node, speed: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let node = node.clone();
        let thread = std::thread::spawn(move || run(&node, speed.max(1), &stopped));
        Self {
            stop,
            thread: Mutex::new(Some(thread)),
        }
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = locked(&self.thread).take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

fn run(node: &Node, speed: u32, stop: &AtomicBool) {
    let began = Instant::now();
    let mut minute = Zoned::now().datetime();
    let mut passed = 0;
    while !stop.load(Ordering::Relaxed) {
        let minutes = began.elapsed().as_secs_f64() * f64::from(speed) / 60.0;
        while f64::from(passed) + 1.0 <= minutes {
            passed += 1;
            minute = minute.saturating_add(SignedDuration::from_mins(1));
            for (environment, command) in due(node, minute) {
                drop(launch(node, &environment, &command));
            }
        }
        std::thread::park_timeout(Duration::from_secs_f64(
            (30.0 / f64::from(speed)).clamp(0.005, 1.0),
        ));
    }
}

/// Variables and command of every line that is due.
fn due(node: &Node, now: DateTime) -> Vec<(Vec<(String, String)>, String)> {
    let mut all = Vec::new();
    // Like crond: every file, whatever its name ends in.
    let Ok(entries) = node.state().join("cron").read_dir() else {
        return all;
    };
    for entry in entries.flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path()) else {
            continue;
        };
        let mut environment = Vec::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let fields: Vec<&str> = line.split_whitespace().collect();
            match (line.split_once('='), fields.as_slice()) {
                (Some((name, value)), _) if !name.contains(' ') => {
                    environment.push((name.into(), value.into()))
                }
                (_, [minute, hour, day, month, weekday, _user, _, ..])
                    if matches(minute, i64::from(now.minute()))
                        && matches(hour, i64::from(now.hour()))
                        && matches(day, i64::from(now.day()))
                        && matches(month, i64::from(now.month()))
                        && matches(weekday, i64::from(now.weekday().to_sunday_zero_offset())) =>
                {
                    all.push((environment.clone(), fields[6..].join(" ")));
                }
                _ => {}
            }
        }
    }
    all
}

/// Whether a field (`*`, `*/n`, `a`, `a-b`, `a,b`) covers a value.
fn matches(field: &str, value: i64) -> bool {
    field.split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let Ok(step @ 1..) = step.parse::<i64>() else {
            return false;
        };
        if range == "*" {
            return value % step == 0;
        }
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.parse(), last.parse()) else {
            return false;
        };
        (first..=last).contains(&value) && (value - first) % step == 0
    })
}

fn launch(node: &Node, environment: &[(String, String)], command: &str) -> anyhow::Result<()> {
    let container = container::environment(node).context("the container does not run")?;
    let journal = std::fs::File::options()
        .append(true)
        .open(node.container().join("journal"))?;
    let mut child = Command::new("setsid")
        .args(["sh", "-c", &container::host_command(node, command)])
        .env_clear()
        // crond gives its jobs only what their file says: MAIL_HOST must come from there.
        .envs(container.into_iter().filter(|(name, _)| name != "MAIL_HOST"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(journal.try_clone()?)
        .stderr(journal)
        .spawn()?;
    std::thread::spawn(move || child.wait());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn fields_cover_what_crond_says_they_cover() {
        let covered = |field: &str| (0..60).filter(|&value| matches(field, value)).collect::<Vec<_>>();
        assert_eq!(covered("*").len(), 60);
        assert_eq!(covered("*/20"), [0, 20, 40]);
        assert_eq!(covered("1"), [1]);
        assert_eq!(covered("3-5,9"), [3, 4, 5, 9]);
        assert_eq!(covered("10-20/5"), [10, 15, 20]);
        assert!(covered("x").is_empty() && covered("*/0").is_empty());
    }
}
