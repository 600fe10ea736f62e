// SPDX-License-Identifier: GPL-3.0-or-later
//! The descriptor `$AGENT_COMFD`: status, progress and weights, one line each (contract section 1).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

/// Where the agent listens; outside the agent, stderr.
#[derive(Debug)]
pub struct CommandDescriptor {
    pipe: Option<File>,
}

impl CommandDescriptor {
    /// Opens the descriptor again and keeps all inherited ones from the processes that we start: one that
    /// lives on would make the agent wait for it.
    pub fn open() -> Self {
        close_fds::set_fds_cloexec(3, &[]);
        let number = std::env::var("AGENT_COMFD")
            .ok()
            .and_then(|text| text.parse::<u32>().ok());
        Self {
            pipe: number.filter(|number| *number > 2).and_then(|number| {
                OpenOptions::new()
                    .append(true)
                    .open(format!("/proc/self/fd/{number}"))
                    .ok()
            }),
        }
    }

    /// Tells that the input was refused, which gives our exit code its meaning.
    pub fn validation_failed(&self) {
        self.say(&["set-status", "validation-failed"]);
    }

    /// Tells how far the step is, 0 to 100.
    pub fn progress(&self, percent: u8) {
        self.say(&["set-progress", &percent.min(100).to_string()]);
    }

    /// Tells how much of the action a step is.
    pub fn weight(&self, step: &str, weight: u32) {
        self.say(&["set-weight", step, &weight.to_string()]);
    }

    /// An agent that went away cannot be told anything; the work goes on.
    fn say(&self, words: &[&str]) {
        let line = line(words);
        let _gone: io::Result<()> = match &self.pipe {
            Some(pipe) => (&mut &*pipe).write_all(line.as_bytes()),
            None => io::stderr().write_all(line.as_bytes()),
        };
    }
}

/// Words between blanks; one with a blank, a quote or a line break in it stands in quotes (RFC 4180).
fn line(words: &[&str]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(
            |word| match word.is_empty() || word.contains([' ', '"', '\n', '\r', '\t']) {
                true => format!("\"{}\"", word.replace('"', "\"\"")),
                false => (*word).to_owned(),
            },
        )
        .collect();
    format!("{}\n", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_have_to_be() {
        assert_eq!(
            line(&["set-status", "validation-failed"]),
            "set-status validation-failed\n"
        );
        assert_eq!(
            line(&["set-weight", "a \"b\"", ""]),
            "set-weight \"a \"\"b\"\"\" \"\"\n"
        );
    }
}
