// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.log`, and the other files of a run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::files;
use crate::sync::account::Failure;
use crate::task::FileKind;
use crate::task::{Store, TaskName};

/// An empty log. imapsync writes to it too, so everyone appends.
pub(super) fn open_log(store: &Store, name: &TaskName) -> Result<File, Failure> {
    let open = || {
        let log = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(store.path(name, FileKind::Log))?;
        log.set_len(0)?;
        Ok(log)
    };
    open().map_err(|error: std::io::Error| {
        Failure::local(format!("cannot write {}: {error}", name.file(FileKind::Log)))
    })
}

/// Removes what is there only while a run is.
///
/// # Errors
/// Whatever the file system says.
pub fn clear(store: &Store, name: &TaskName) -> std::io::Result<()> {
    files::remove(&store.path(name, FileKind::Progress))?;
    files::remove(&store.path(name, FileKind::Pid))
}

/// Every line reaches the file at once, so that the log can be followed.
pub(super) struct LineBuffered(pub(super) BufWriter<File>);

impl Write for LineBuffered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        if bytes.contains(&b'\n') {
            self.0.flush()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
