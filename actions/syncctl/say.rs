// SPDX-License-Identifier: GPL-3.0-or-later
//! What syncctl says, and where it is heard.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use ns8_imapsync::supervisor::message::{RunEnd, Stream};
use ns8_imapsync::sync::instance::in_container;
use ns8_imapsync::text::printable;

use super::{Done, failed};

/// Answers what was asked.
pub(super) fn print(text: &str) -> Done {
    writeln!(std::io::stdout().lock(), "{text}").map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// The same as JSON.
pub(super) fn print_json(value: &impl serde::Serialize) -> Done {
    print(&serde_json::to_string(value).map_err(failed)?)
}

/// Says something to the caller and, where that is no terminal, to the output of the container's main process,
/// which is the journal (contract section 5).
pub(super) fn tell(text: &str, stream: Stream) {
    tell_journal(text, stream, stream);
    tell_caller(text, stream);
}

/// Says how a run ended.
pub(super) fn tell_run_end(end: &RunEnd) {
    if let Some(journal) = end.journal {
        tell_journal(&end.says, end.stream, journal);
    }
    tell_caller(&end.says, end.stream);
}

/// Says something to the caller, and to no one else.
pub(super) fn tell_caller(text: &str, stream: Stream) {
    let text = printable(text);
    // A reader that has closed it does not want to know.
    let _ = match stream {
        Stream::Output => writeln!(std::io::stdout().lock(), "{text}"),
        Stream::Errors => writeln!(std::io::stderr().lock(), "{text}"),
    };
}

/// Says something to the journal, unless the caller reads it on a terminal.
fn tell_journal(text: &str, stream: Stream, journal: Stream) {
    let watched = match stream {
        Stream::Output => std::io::stdout().is_terminal(),
        Stream::Errors => std::io::stderr().is_terminal(),
    };
    let journal = match journal {
        Stream::Output => "/proc/1/fd/1",
        Stream::Errors => "/proc/1/fd/2",
    };
    if !watched
        && in_container()
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(journal)
    {
        // A journal that is full or gone keeps no one from going on.
        let _ = writeln!(file, "{}", printable(text));
    }
}
