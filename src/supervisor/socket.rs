// SPDX-License-Identifier: GPL-3.0-or-later
//! The supervisor's socket. The paths of sockets are limited to 108 octets (unix(7)), those of state folders are not:
//! it is reached through a descriptor of its folder.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::files;

const NAME: &str = "socket";

fn short(folder: &File) -> PathBuf {
    format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()).into()
}

/// Makes the socket in that folder, which no one else may enter. What a killed supervisor left there is removed.
///
/// # Errors
/// Whatever the system says.
pub fn listen(folder: &Path) -> io::Result<UnixListener> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    files::remove(&folder.join(NAME))?;
    let opened = File::open(folder)?;
    let listener = UnixListener::bind(short(&opened))?;
    std::fs::set_permissions(folder.join(NAME), Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to the socket in that folder.
///
/// # Errors
/// Whatever the system says, above all that no one listens.
pub fn connect(folder: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(short(&File::open(folder)?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn the_path_may_be_as_long_as_it_likes() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("x".repeat(200));
        std::fs::create_dir(&folder).unwrap();
        for _ in 0..2 {
            let listener = listen(&folder).unwrap();
            listener.set_nonblocking(false).unwrap();
            let mode = folder.join(NAME).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let mut client = connect(&folder).unwrap();
            client.write_all(b"x").unwrap();
            let mut octet = [0];
            listener.accept().unwrap().0.read_exact(&mut octet).unwrap();
            assert_eq!(octet, *b"x");
        }
        assert!(connect(&folder).is_err(), "no one listens any more");
    }
}
