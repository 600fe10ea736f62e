// SPDX-License-Identifier: GPL-3.0-or-later
//! A server that runs, and what is its own about it.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use sandbox::{Imap, Mailbox, Sandbox, Server, free_port};

/// Where the servers listen.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A mailbox on a server.
pub(crate) struct Source {
    /// Where it listens.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `ssl`, or nothing for plain text.
    pub security: &'static str,
    /// Where a test's own mail program gets in, when that is not there.
    pub direct: Option<(String, u16)>,
    /// Who logs in.
    pub user: String,
    /// With what.
    pub password: String,
    /// What stands before the names of one's own folders.
    pub prefix: &'static str,
    /// Between the levels of a name.
    pub separator: char,
    /// How a folder's name begins that is not copied: a view, or somebody else's.
    pub not_ours: &'static [&'static str],
    /// Whether messages keep their UIDs, so that deletions and flags can be followed.
    pub steady: bool,
    /// Whether mail is deleted there.
    pub deletes: bool,
    /// The Message-Ids of what it gives out in a form that no server stores.
    pub altered: &'static [&'static str],
    /// What runs, and ends with this; dropped before its files.
    pub _servers: Vec<Server>,
    /// Where its files are.
    pub _folder: Option<tempfile::TempDir>,
}

impl Source {
    /// A server of the usual kind.
    pub(crate) fn new(port: u16, user: &str, password: &str) -> Self {
        Self {
            host: ADDRESS.to_string(),
            port,
            security: "",
            direct: None,
            user: user.to_owned(),
            password: password.to_owned(),
            prefix: "",
            separator: '/',
            not_ours: &[],
            steady: true,
            deletes: true,
            altered: &[],
            _servers: vec![],
            _folder: None,
        }
    }

    /// The owner's mail program.
    pub(crate) fn imap(&self) -> anyhow::Result<Imap> {
        let (host, port) = match &self.direct {
            Some((host, port)) => (host, *port),
            None => (&self.host, self.port),
        };
        Imap::connect(host, port, &self.user, &self.password)
    }

    /// What is to be copied, under the names that it has then.
    pub(crate) fn mailbox(&self) -> anyhow::Result<Mailbox> {
        let all = sandbox::mail::read_mailbox(&mut self.imap()?)?;
        let ours = all
            .into_iter()
            .filter(|(name, _)| !self.not_ours.iter().any(|start| name.starts_with(start)));
        Ok(ours
            .map(|(name, messages)| (self.local_name(&name), messages))
            .collect())
    }

    /// What a folder is called at the destination, whose separator is `/`.
    pub(crate) fn local_name(&self, name: &str) -> String {
        if name.eq_ignore_ascii_case("INBOX") {
            return "INBOX".to_owned();
        }
        let own = name.strip_prefix(self.prefix).unwrap_or(name);
        own.replace(self.separator, "/")
    }
}

/// The root with the servers of other makers, or why there is none.
pub(crate) fn root() -> Result<PathBuf, String> {
    std::env::var_os("SERVERS_ROOT")
        .map(PathBuf::from)
        .ok_or_else(|| "tests/servers/run.sh gets it and tries it".to_owned())
}

/// A program in the root, or why it is not there.
pub(crate) fn installed(program: &str) -> Result<PathBuf, String> {
    let root = root()?;
    if root.join(program.trim_start_matches('/')).exists() {
        return Ok(root);
    }
    let absent = std::fs::read_to_string(root.join("absent")).unwrap_or_default();
    Err(format!("{program} is not there. {}", absent.replace('\n', " ")))
}

/// Says that a server was not tried.
pub(crate) fn not_tried(name: &str, reason: &str) {
    println!("{name}: not tried: {reason}");
}

/// A folder in the root for a server's files, and its name inside.
pub(crate) fn folder(root: &Path) -> anyhow::Result<(tempfile::TempDir, String)> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new()
        .prefix("s")
        .permissions(PermissionsExt::from_mode(0o755))
        .tempdir_in(root.join("srv"))?;
    let name = folder
        .path()
        .file_name()
        .context("no name")?
        .to_string_lossy()
        .into_owned();
    Ok((folder, format!("/srv/{name}")))
}

/// A command in the root.
pub(crate) fn inside(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("chroot");
    command.arg(root).args(arguments);
    command.env(
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    command
}

/// Runs a shell script in the root, to its end.
pub(crate) fn script(root: &Path, text: &str) -> anyhow::Result<String> {
    let output = inside(root, &["sh", "-ec", text]).output()?;
    anyhow::ensure!(
        output.status.success(),
        "{text}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts a server in the root, and waits until it greets at that port.
pub(crate) fn serve(sandbox: &Sandbox, root: &Path, text: &str, port: u16) -> anyhow::Result<Server> {
    let command = inside(root, &["sh", "-ec", text]);
    Server::start(sandbox.node(), command, || greets(port)).with_context(|| text.to_owned())
}

/// A port for a server.
pub(crate) fn port() -> anyhow::Result<u16> {
    free_port(ADDRESS)
}

/// Whether an IMAP server greets there.
pub(crate) fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&(ADDRESS, port).into(), Duration::from_millis(500))
    else {
        return false;
    };
    let mut start = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(10))).is_ok()
        && stream.read_exact(&mut start).is_ok()
        && &start == b"* OK"
}
