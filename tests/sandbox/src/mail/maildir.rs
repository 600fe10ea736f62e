// SPDX-License-Identifier: GPL-3.0-or-later
//! Puts messages straight into a Maildir, named as Dovecot names them: the fastest way to a full mailbox.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;

use super::{NewMail, utf7};

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Delivers all of `mails` into the Maildir `root`, whose owner becomes `owner` (user and group id).
///
/// The server that owns the folder need not be stopped: it finds new files by itself.
pub fn deliver(root: &Path, owner: Option<(u32, u32)>, mails: &[NewMail]) -> anyhow::Result<()> {
    let mut folders: BTreeMap<&[String], Vec<&NewMail>> = BTreeMap::new();
    for mail in mails {
        folders.entry(&mail.folder).or_default().push(mail);
    }
    for (folder, mails) in folders {
        deliver_folder(root, owner, folder, &mails)
            .with_context(|| format!("cannot deliver mail into {}", folder.join("/")))?;
    }
    Ok(())
}

/// Creates a folder without any message.
pub(crate) fn create(root: &Path, owner: Option<(u32, u32)>, folder: &[String]) -> anyhow::Result<()> {
    deliver_folder(root, owner, folder, &[])
}

fn deliver_folder(
    root: &Path,
    owner: Option<(u32, u32)>,
    folder: &[String],
    mails: &[&NewMail],
) -> anyhow::Result<()> {
    let own = |path: &Path| match owner {
        Some((user, group)) => chown(path, Some(user), Some(group)),
        None => Ok(()),
    };
    // Maildir++: one level of folders, the hierarchy's levels joined by dots after a leading one.
    let dir = match folder {
        [inbox] if inbox == "INBOX" => root.to_path_buf(),
        levels => root.join(
            levels
                .iter()
                .map(|level| format!(".{}", utf7::encode(level)))
                .collect::<String>(),
        ),
    };
    for part in ["", "cur", "new", "tmp"] {
        let path = dir.join(part);
        if !path.is_dir() {
            std::fs::create_dir_all(&path)?;
            own(&path)?;
        }
    }
    own(root)?;
    let mut keywords = Keywords::read(&dir)?;
    for mail in mails {
        let letters = letters(mail, &mut keywords)?;
        let stored = without_cr(&mail.content);
        let bare = |&at: &usize| stored[at] == b'\n' && (at == 0 || stored[at - 1] != b'\r');
        let lines = (0..stored.len()).filter(bare).count();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "{}.M{serial:06}P{}.sandbox,S={},W={}",
            mail.date,
            std::process::id(),
            stored.len(),
            stored.len() + lines
        );
        let temporary = dir.join("tmp").join(&name);
        let mut file = File::create(&temporary)?;
        file.write_all(&stored)?;
        let date = UNIX_EPOCH + Duration::from_secs(u64::try_from(mail.date).context("a date before 1970")?);
        file.set_times(FileTimes::new().set_modified(date).set_accessed(date))?;
        own(&temporary)?;
        std::fs::rename(&temporary, dir.join("cur").join(format!("{name}:2,{letters}")))?;
    }
    keywords.write(&dir)?;
    if keywords.path(&dir).exists() {
        own(&keywords.path(&dir))?;
    }
    Ok(())
}

fn without_cr(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    for (at, &byte) in content.iter().enumerate() {
        if byte != b'\r' || content.get(at + 1) != Some(&b'\n') {
            out.push(byte);
        }
    }
    out
}

/// The flag letters of a file name, in the order that Maildir wants.
fn letters(mail: &NewMail, keywords: &mut Keywords) -> anyhow::Result<String> {
    let mut letters = Vec::new();
    for flag in &mail.flags {
        letters.push(match flag.as_str() {
            "\\Draft" => 'D',
            "\\Flagged" => 'F',
            "\\Answered" => 'R',
            "\\Seen" => 'S',
            "\\Deleted" => 'T',
            keyword => keywords.letter(keyword)?,
        });
    }
    letters.sort_unstable();
    Ok(letters.into_iter().collect())
}

/// Dovecot's `dovecot-keywords`: which small letter stands for which keyword in this folder.
struct Keywords(Vec<String>);

impl Keywords {
    fn path(&self, dir: &Path) -> std::path::PathBuf {
        dir.join("dovecot-keywords")
    }

    fn read(dir: &Path) -> anyhow::Result<Self> {
        let mut keywords = Self(Vec::new());
        if let Ok(text) = std::fs::read_to_string(keywords.path(dir)) {
            keywords.0 = text
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(_, name)| name.to_owned())
                .collect();
        }
        Ok(keywords)
    }

    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        if !self.0.is_empty() {
            let text: String = self
                .0
                .iter()
                .enumerate()
                .map(|(at, name)| format!("{at} {name}\n"))
                .collect();
            std::fs::write(self.path(dir), text)?;
        }
        Ok(())
    }

    fn letter(&mut self, keyword: &str) -> anyhow::Result<char> {
        let at = self
            .0
            .iter()
            .position(|known| known == keyword)
            .unwrap_or_else(|| {
                self.0.push(keyword.to_owned());
                self.0.len() - 1
            });
        let at = u8::try_from(at)
            .ok()
            .filter(|&at| at < 26)
            .context("more than 26 keywords in a folder")?;
        Ok(char::from(b'a' + at))
    }
}
