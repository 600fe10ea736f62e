// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.trace`: what a run with `SYNC_DEBUG` said to the servers and heard from them, without mail and without secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::imap::{Mask, TRACE_TARGET};
use crate::text::printable;

/// A longer line is cut, after secrets were hidden in it.
const LINE_LENGTH: usize = 2000;
/// The file grows no further.
const MAX_OCTETS: u64 = 32 * 1024 * 1024;

/// Has the rest of the process write its trace into a file, which is emptied first. The masks are asked with each line,
/// since they learn of the tokens that a run gets.
///
/// # Errors
/// Whatever the file system says.
pub fn start(path: &Path, masks: Vec<Mask>) -> io::Result<()> {
    // A run that is begun again in the same process goes on with the first file.
    if tracing::dispatcher::has_been_set() {
        return Ok(());
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    let writer = TraceFile {
        file,
        masks,
        left: MAX_OCTETS,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .with_writer(Mutex::new(writer));
    let wanted = Targets::new().with_target(TRACE_TARGET, LevelFilter::TRACE);
    let subscriber = tracing_subscriber::registry().with(wanted).with(lines);
    tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)
}

struct TraceFile {
    file: File,
    masks: Vec<Mask>,
    left: u64,
}

impl Write for TraceFile {
    /// Takes whole lines: that is how they are formatted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut text = printable(text.trim_end()).into_owned();
        for mask in &self.masks {
            text = mask.apply(&text).into_owned();
        }
        if let Some((end, _)) = text.char_indices().nth(LINE_LENGTH) {
            text.truncate(end);
            text.push('…');
        }
        text.push('\n');
        match self.left.checked_sub(text.len() as u64) {
            Some(left) => {
                self.left = left;
                self.file.write_all(text.as_bytes())?;
            }
            None if self.left > 0 => {
                self.left = 0;
                self.file
                    .write_all("the trace ends here: it is full\n".as_bytes())?;
            }
            None => {}
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_cut_within_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u_1.trace");
        let mut trace = TraceFile {
            file: File::create(&path).unwrap(),
            masks: vec![Mask::new(["pass word!"], [])],
            left: MAX_OCTETS,
        };
        let before = "x".repeat(LINE_LENGTH - 6);
        trace
            .write_all(format!("{before} pass word! and more\n").as_bytes())
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("pass") && text.ends_with("…\n"),
            "{}",
            &text[before.len()..]
        );
    }

    #[test]
    fn a_token_that_is_known_late_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u_1.trace");
        let mask = Mask::default();
        let mut trace = TraceFile {
            file: File::create(&path).unwrap(),
            masks: vec![mask.clone()],
            left: MAX_OCTETS,
        };
        mask.add(&Mask::new(["ya29.t0ken"], []));
        trace.write_all(b"1 < * OK your token is ya29.t0ken\n").unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "1 < * OK your token is …\n"
        );
    }

    #[test]
    fn a_trace_holds_no_secret_and_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u_1.trace");
        let mut trace = TraceFile {
            file: File::create(&path).unwrap(),
            masks: vec![Mask::new(["pass word!"], [])],
            left: 60,
        };
        for line in [
            "1 < * OK pass word!\n",
            "1 > a\r\n1 < forged\n",
            &"long ".repeat(20),
            "more\n",
        ] {
            trace.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "1 < * OK …\n1 > a\\u{d}\\u{a}1 < forged\nthe trace ends here: it is full\n"
        );
    }
}
