// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets in a log that another program writes by itself: they are hidden soon after they were written. Each line keeps
//! its length, as the program goes on behind it, and is written over in one go.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A longer line is looked at in pieces.
const PIECE: usize = 64 * 1024;

/// A log, and up to where it was looked at.
pub struct Masking {
    log: File,
    done: u64,
}

impl Masking {
    /// Looks at what comes from that offset on, in octets. The log must be open to read and to write.
    pub fn new(log: File, from: u64) -> Self {
        Self { log, done: from }
    }

    /// Hides what `masked` takes out of the lines that came since the last time, up to an offset in octets; of the last
    /// line, once it is whole or the log has come to its end. After an error it can be tried again.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn catch_up(&mut self, to: u64, is_over: bool, masked: impl Fn(&str) -> String) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let left = usize::try_from(to.saturating_sub(self.done)).unwrap_or(PIECE);
            let room = piece.get_mut(..left.min(PIECE)).unwrap_or_default();
            let length = self.log.read_at(room, self.done)?;
            let read = piece.get(..length).unwrap_or_default();
            let whole = match memchr::memrchr(b'\n', read) {
                Some(end) => end + 1,
                None if is_over || length == PIECE => length,
                None => 0,
            };
            if whole == 0 {
                return Ok(());
            }
            let mut at = self.done;
            for line in read
                .get(..whole)
                .unwrap_or_default()
                .split_inclusive(|octet| *octet == b'\n')
            {
                let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
                let hidden = masked(&text);
                if hidden != text {
                    let room = line.len() - usize::from(line.ends_with(b"\n"));
                    self.log.write_all_at(&of_length(&hidden, room), at)?;
                }
                at += line.len() as u64;
            }
            self.done = at;
        }
    }
}

/// A text in so many octets: cut off, or filled up with spaces.
fn of_length(text: &str, octets: usize) -> Vec<u8> {
    let end = (0..=octets.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    let mut line = text
        .get(..end.unwrap_or_default())
        .unwrap_or_default()
        .as_bytes()
        .to_vec();
    line.resize(octets, b' ');
    line
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};

    use super::*;

    fn masked(text: &str) -> String {
        text.replace("s3cret", "…").replace("pw", "longer")
    }

    fn text(file: &mut File) -> String {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn secrets_go_and_all_else_stays_where_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        let mut log = Masking::new(file.try_clone().unwrap(), 6);
        file.write_all(b"s3cret\nit is s3cret!\npw\nlast s3c").unwrap();
        log.catch_up(u64::MAX, false, masked).unwrap();
        assert_eq!(text(&mut file), "s3cret\nit is …!   \nlo\nlast s3c");
        file.write_all(b"ret").unwrap();
        log.catch_up(u64::MAX, false, masked).unwrap();
        assert!(
            text(&mut file).ends_with("\nlast s3cret"),
            "it may not be whole yet"
        );
        log.catch_up(u64::MAX, true, masked).unwrap();
        assert!(text(&mut file).ends_with("\nlast …   "));
    }

    #[test]
    fn what_is_behind_the_end_that_is_asked_for_waits() {
        let mut file = tempfile::tempfile().unwrap();
        let mut log = Masking::new(file.try_clone().unwrap(), 0);
        file.write_all(b"s3cret\ns3cret\n").unwrap();
        log.catch_up(9, false, masked).unwrap();
        assert_eq!(text(&mut file), "…   \ns3cret\n");
    }

    #[test]
    fn a_long_line_is_looked_at_in_pieces() {
        let mut file = tempfile::tempfile().unwrap();
        let mut log = Masking::new(file.try_clone().unwrap(), 0);
        let long = format!("s3cret{}s3cret\nend\n", "x".repeat(3 * PIECE));
        file.write_all(long.as_bytes()).unwrap();
        log.catch_up(u64::MAX, false, masked).unwrap();
        let hidden = text(&mut file);
        assert_eq!(hidden.len(), long.len());
        assert!(!hidden.contains("s3cret") && hidden.ends_with("\nend\n"));
    }
}
