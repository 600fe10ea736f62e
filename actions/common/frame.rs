// SPDX-License-Identifier: GPL-3.0-or-later
//! What surrounds an action: JSON from stdin, JSON to stdout, and what an error looks like (contract section 1).

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use ns8_imapsync::agent::commands::CommandDescriptor;
use ns8_imapsync::agent::journal;
use ns8_imapsync::error::{Error, Refusal, Result};
use ns8_imapsync::secret::{ROOM, Zeroizing};
use serde_json::{Map, Value};

use super::action::Action;
use super::context::Context;
use super::input;

/// An import of many thousand rows fits in; what is larger is an accident.
const LARGEST_INPUT: u64 = 32 * 1024 * 1024;

/// Runs an action as the agent does.
pub(crate) fn run<A: Action>() -> ExitCode {
    let commands = CommandDescriptor::open();
    let context = Context::new(commands);
    let outcome = read_input()
        .and_then(input::parse)
        .and_then(|input| A::run(&context, input))
        .and_then(|output| Ok(serde_json::to_string(&output).context("cannot write the output")?));
    let (text, code) = match outcome {
        Ok(output) if output == "null" => (None, 0),
        Ok(output) => (Some(output), 0),
        Err(error) => {
            let code = error.exit_code();
            (report(&context, &error), code)
        }
    };
    match text.map_or(Ok(()), print) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            journal::error(format_args!("cannot write the output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a helper of the shell or of the service: what goes wrong is a line on stderr and exit code 1.
pub(crate) fn helper(work: impl FnOnce(&Context) -> Result<()>) -> ExitCode {
    match work(&Context::new(CommandDescriptor::open())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal::error(error);
            ExitCode::FAILURE
        }
    }
}

/// Tells what went wrong; the refusals go to stdout as well.
fn report(context: &Context, error: &Error) -> Option<String> {
    match error {
        Error::Refused(refusals) => {
            context.commands.validation_failed();
            for refusal in refusals {
                journal::warning(refusal);
            }
            Some(
                refusals
                    .iter()
                    .map(Refusal::to_json)
                    .collect::<Value>()
                    .to_string(),
            )
        }
        Error::Failed(_) => {
            journal::error(error);
            None
        }
    }
}

/// Empty input, `null` and `{}` are all no input.
fn read_input() -> Result<Map<String, Value>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(Map::new());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    stdin
        .lock()
        .take(LARGEST_INPUT + 1)
        .read_to_end(&mut bytes)
        .context("cannot read the input")?;
    if bytes.len() as u64 > LARGEST_INPUT {
        return Err(anyhow!("the input is larger than {} MiB", LARGEST_INPUT >> 20).into());
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    // The cause would tell a position only, never the text.
    match serde_json::from_slice(&bytes).context("the input is not JSON")? {
        Value::Null => Ok(Map::new()),
        Value::Object(fields) => Ok(fields),
        _ => Err(anyhow!("the input is not a JSON object").into()),
    }
}

fn print(mut text: String) -> io::Result<()> {
    text.push('\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
