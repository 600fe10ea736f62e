// SPDX-License-Identifier: GPL-3.0-or-later
//! A real Dovecot of Debian, run as an ordinary user: somebody's IMAP server, or the node's mail module.

mod configuration;
mod owner;
mod processor;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::mail::{self, Imap, Mailbox, NewMail, Side, read_mailbox};
use crate::node::Node;
use crate::server::{Server, free_port};
use crate::{locked, wait_until};
pub use configuration::AS_NS8;
use owner::Owner;

/// One of the two mail servers.
///
/// They listen on different addresses of the loopback network: a connection from 127.0.0.1 then is a foreign
/// one to Dovecot, so that its rules about plain-text passwords apply as they do between machines.
#[derive(Debug)]
pub struct MailServer {
    node: Node,
    side: Side,
    ports: Mutex<(u16, u16)>,
    owner: Owner,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    server: Option<Server>,
    users: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    master: Option<String>,
    extra: String,
    generation: usize,
}

impl MailServer {
    pub(crate) fn start(
        node: &Node,
        side: Side,
        users: &[(&str, &str)],
        master_password: Option<&str>,
    ) -> anyhow::Result<Self> {
        let server = Self {
            node: node.clone(),
            side,
            ports: Mutex::default(),
            owner: Owner::detect()?,
            state: Mutex::default(),
        };
        {
            let mut state = locked(&server.state);
            state.users = users
                .iter()
                .map(|&(user, password)| (user.into(), password.into()))
                .collect();
            state.master = master_password.map(str::to_owned);
        }
        server.prepare()?;
        let mut tries = 0;
        loop {
            *locked(&server.ports) = (free_port(server.address())?, free_port(server.address())?);
            server.configure()?;
            match server.start_process() {
                Ok(()) => return Ok(server),
                // Somebody else took the ports.
                Err(_) if tries < 3 => tries += 1,
                Err(error) => {
                    let what = format!("cannot start the {} Dovecot:\n{}", side.name(), server.log());
                    return Err(error.context(what));
                }
            }
        }
    }

    /// A running sandbox's server as another process sees it: mail can be read and delivered, and no more.
    pub fn attach(node: &Node, side: Side) -> anyhow::Result<Self> {
        let owner = Owner::detect()?;
        Ok(Self {
            node: node.clone(),
            side,
            ports: Mutex::default(),
            owner,
            state: Mutex::default(),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> Ipv4Addr {
        match self.side {
            Side::Local => Ipv4Addr::new(127, 0, 0, 2),
            Side::Remote => Ipv4Addr::new(127, 0, 0, 3),
        }
    }

    /// The port for plain text and STARTTLS.
    pub fn port(&self) -> u16 {
        locked(&self.ports).0
    }

    /// The IMAPS port.
    pub fn tls_port(&self) -> u16 {
        locked(&self.ports).1
    }

    /// The certificate's SHA-256 fingerprint, lower-case hex.
    pub fn certificate(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.dir().join("cert.sha256"))?)
    }

    /// Replaces the certificate by a fresh one and restarts.
    pub fn renew_certificate(&self) -> anyhow::Result<()> {
        self.write_certificate()?;
        self.restart()
    }

    /// Creates a user or changes the password.
    pub fn set_user(&self, user: &str, password: &str) -> anyhow::Result<()> {
        locked(&self.state)
            .users
            .insert(user.to_owned(), password.to_owned());
        self.write_users()
    }

    /// Gives a user settings, in place of those given before: any of Dovecot's without a blank, such as
    /// `quota=maildir`, `quota_rule=*:bytes=50000` or `namespace/inbox/separator=/`. They count from the next login on.
    pub fn set_user_settings(&self, user: &str, settings: &[&str]) -> anyhow::Result<()> {
        let line = settings.iter().map(|setting| format!(" userdb_{setting}"));
        locked(&self.state)
            .settings
            .insert(user.to_owned(), line.collect());
        self.write_users()?;
        // Dovecot looks at the file once a second.
        for setting in settings {
            let (name, value) = setting.split_once('=').context("a setting without a value")?;
            wait_until(&format!("{setting} of {user}"), || {
                self.doveadm_run(&["user", "-f", name, user])
                    .is_ok_and(|known| known.trim_end() == value)
            })?;
        }
        Ok(())
    }

    /// Removes a user; the mail stays.
    pub fn remove_user(&self, user: &str) -> anyhow::Result<()> {
        locked(&self.state).users.remove(user);
        self.write_users()
    }

    /// The names of all users.
    pub fn users(&self) -> Vec<String> {
        locked(&self.state).users.keys().cloned().collect()
    }

    /// Adds lines to the configuration, in place of those added before, and restarts: to take capabilities
    /// away (`imap_capability = IMAP4rev1`), to set a quota, to switch STARTTLS off (`ssl = no`).
    pub fn reconfigure(&self, extra: &str) -> anyhow::Result<()> {
        extra.clone_into(&mut locked(&self.state).extra);
        self.restart()
    }

    /// Takes OAuth 2.0 tokens too, about which it asks at that address: those of a person for the person's own mailbox,
    /// those of the application for any.
    pub fn accept_tokens(&self, introspection: &str) -> anyhow::Result<()> {
        let mut passdbs = "auth_mechanisms = plain login oauthbearer xoauth2\n".to_owned();
        for (name, user) in [("personal", "%u"), ("application", "application")] {
            let path = self.dir().join(format!("tokens-{name}"));
            let text = format!(
                "introspection_mode = post\nintrospection_url = {introspection}\nactive_attribute = active\n\
                 active_value = true\nscope = imap\nusername_attribute = username\nusername_format = {user}\n"
            );
            std::fs::write(&path, text)?;
            self.own(&path)?;
            writeln!(
                passdbs,
                "passdb {{\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = {}\n}}",
                path.display()
            )?;
        }
        // Without a restart, during which somebody else could take the ports.
        locked(&self.state).extra = passdbs;
        std::fs::write(self.dir().join("dovecot.conf"), self.configuration()?)?;
        self.doveadm_run(&["reload"])?;
        wait_until("the server to take tokens", || {
            let greeting = TcpStream::connect((self.address(), self.port())).and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut text = [0; 512];
                let length = stream.read(&mut text)?;
                Ok(String::from_utf8_lossy(&text[..length]).into_owned())
            });
            greeting.is_ok_and(|greeting| greeting.contains("AUTH=OAUTHBEARER"))
        })
    }

    /// Stops the server.
    pub fn stop(&self) {
        locked(&self.state).server.take();
    }

    /// Starts it, after stopping it if it runs; the ports stay the same.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.stop();
        self.configure()?;
        // What is left of the former one may hold the ports for another moment.
        let mut tries = 0;
        loop {
            match self.start_process() {
                Err(_) if tries < 20 => tries += 1,
                started => return started.with_context(|| self.log()),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn configure(&self) -> anyhow::Result<()> {
        std::fs::write(self.dir().join("dovecot.conf"), self.configuration()?)?;
        self.write_users()
    }

    fn start_process(&self) -> anyhow::Result<()> {
        let mut command = self.owner.command("dovecot");
        command.args(["-F", "-c"]).arg(self.dir().join("dovecot.conf"));
        if self.side == Side::Remote {
            // Somewhere else it is another time, as dates of arrival show.
            command.env("TZ", "<+0545>-5:45");
        }
        let address = SocketAddr::from((self.address(), self.port()));
        let server = Server::start(&self.node, command, || greets(address))?;
        // Not another sandbox's, which was faster.
        let master = std::fs::read_to_string(self.dir().join("run/master.pid"))?;
        ensure!(
            master.trim() == server.id().to_string(),
            "the server at {address} is another one"
        );
        locked(&self.state).server = Some(server);
        Ok(())
    }

    /// Delivers mail to a user.
    pub fn deliver(&self, user: &str, mails: &[NewMail]) -> anyhow::Result<()> {
        self.own_home(user)?;
        mail::deliver(&self.maildir(user), self.owner.ids, mails)
    }

    /// Creates an empty folder; its levels are separated by `/`.
    pub fn create_folder(&self, user: &str, path: &str) -> anyhow::Result<()> {
        self.own_home(user)?;
        let levels: Vec<String> = path.split('/').map(str::to_owned).collect();
        mail::create_folder(&self.maildir(user), self.owner.ids, &levels)
    }

    /// Installs the user's active Sieve script.
    pub fn set_sieve(&self, user: &str, script: &str) -> anyhow::Result<()> {
        self.own_home(user)?;
        let path = self.home(user).join(".dovecot.sieve");
        std::fs::write(&path, script)?;
        self.own(&path)
    }

    /// All folders and messages of a user, as IMAP shows them.
    pub fn mailbox(&self, user: &str) -> anyhow::Result<Mailbox> {
        read_mailbox(&mut self.imap(user)?)
            .with_context(|| format!("cannot read the {} mailbox of {user}", self.side.name()))
    }

    /// An IMAP session of a user who is logged in already.
    pub fn imap(&self, user: &str) -> anyhow::Result<Imap> {
        let mut command = self.doveadm();
        command.args(["exec", "imap", "-u", user]);
        Imap::start(command)
            .with_context(|| format!("cannot open the {} mailbox of {user}", self.side.name()))
    }

    /// Where a user's mail is on the disk.
    pub fn maildir(&self, user: &str) -> PathBuf {
        self.home(user).join("Maildir")
    }

    /// How many messages a user has, counted on the disk: cheap enough to ask while mail arrives.
    pub fn count(&self, user: &str) -> anyhow::Result<usize> {
        let root = self.maildir(user);
        let mut folders = vec![root.clone()];
        if root.is_dir() {
            for entry in root.read_dir()?.flatten() {
                if entry.file_name().to_string_lossy().starts_with('.') {
                    folders.push(entry.path());
                }
            }
        }
        let files = |dir: PathBuf| dir.read_dir().map_or(0, Iterator::count);
        Ok(folders
            .iter()
            .map(|folder| files(folder.join("cur")) + files(folder.join("new")))
            .sum())
    }

    /// Runs `doveadm` with these arguments on this server and gives its output.
    pub fn doveadm_run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self
            .doveadm()
            .args(arguments)
            .output()
            .context("cannot run doveadm")?;
        if !output.status.success() {
            bail!(
                "doveadm {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Everything that the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    /// Processor time of all its processes so far, in seconds.
    pub fn processor_seconds(&self) -> anyhow::Result<f64> {
        let master = std::fs::read_to_string(self.dir().join("run/master.pid"))?;
        let master: i32 = master.trim().parse().context("no process id")?;
        processor::seconds(master)
    }

    /// `doveadm` on this server, to be given arguments.
    pub fn doveadm(&self) -> Command {
        let mut command = self.owner.command("doveadm");
        command
            .arg("-c")
            .arg(self.dir().join("dovecot.conf"))
            .env("HOME", self.dir())
            .current_dir(self.dir());
        command
    }

    fn dir(&self) -> PathBuf {
        self.node.server(self.side)
    }

    fn home(&self, user: &str) -> PathBuf {
        self.dir().join("mail").join(user.to_lowercase())
    }

    fn own(&self, path: &std::path::Path) -> anyhow::Result<()> {
        if let Some((user, group)) = self.owner.ids {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }

    fn own_home(&self, user: &str) -> anyhow::Result<()> {
        let home = self.home(user);
        std::fs::create_dir_all(&home)?;
        self.own(&home)
    }

    /// Gives everything in a user's home to whom the server runs as.
    pub fn own_tree(&self, user: &str) -> anyhow::Result<()> {
        let mut folders = vec![self.home(user)];
        while let Some(folder) = folders.pop() {
            self.own(&folder)?;
            for entry in folder.read_dir()? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    self.own(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn prepare(&self) -> anyhow::Result<()> {
        for dir in ["", "run", "state", "mail"] {
            let path = self.dir().join(dir);
            std::fs::create_dir_all(&path)?;
            self.own(&path)?;
        }
        self.write_certificate()
    }

    /// A self-signed certificate, as small providers and test machines have it.
    fn write_certificate(&self) -> anyhow::Result<()> {
        use sha2::{Digest, Sha256};
        let names = vec![
            format!("{}.rig.test", self.side.name()),
            self.address().to_string(),
        ];
        let made = rcgen::generate_simple_self_signed(names)?;
        let digest: String = Sha256::digest(made.cert.der())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key = self.dir().join("key.pem");
        std::fs::write(&key, "")?;
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600))?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        self.own(&key)?;
        std::fs::write(self.dir().join("cert.pem"), made.cert.pem())?;
        std::fs::write(self.dir().join("cert.sha256"), digest)?;
        Ok(())
    }

    fn write_users(&self) -> anyhow::Result<()> {
        let mut state = locked(&self.state);
        // Dovecot notices a change by time and size of the file; the growing line makes sure of the size.
        state.generation += 1;
        let mut text = format!("#{}\n", "#".repeat(state.generation));
        for (user, password) in &state.users {
            writeln!(text, "{user}:{{PLAIN.b64}}{}", STANDARD.encode(password))?;
        }
        let mut settings = format!("#{}\n", "#".repeat(state.generation));
        for (user, own) in &state.settings {
            writeln!(settings, "{user}:::::::{own}")?;
        }
        let mut files = vec![("users", text), ("settings", settings)];
        if let Some(password) = &state.master {
            files.push((
                "masters",
                format!("vmail:{{PLAIN.b64}}{}\n", STANDARD.encode(password)),
            ));
        }
        for (name, text) in files {
            let temporary = self.dir().join(format!("{name}.new"));
            std::fs::write(&temporary, text)?;
            std::fs::rename(temporary, self.dir().join(name))?;
        }
        Ok(())
    }
}

fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) else {
        return false;
    };
    let mut start = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.read_exact(&mut start).is_ok()
        && &start == b"* OK"
}
