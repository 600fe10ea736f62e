// SPDX-License-Identifier: GPL-3.0-or-later
//! The programs that are measured, each told to do the same.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use sandbox::{Case, MASTER_PASSWORD, Sandbox, Side};
use serde_json::json;

/// A program that copies mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The engine of this module.
    Ours,
    /// Debian's isync.
    Mbsync,
    /// Dovecot's own `doveadm backup`, which runs at the destination.
    Doveadm,
    /// imapsync, as the container calls it.
    Imapsync,
    /// The least that a first copy can be (`bench-floor`).
    Floor,
}

impl Program {
    /// The installed ones.
    pub(crate) fn available() -> Vec<Self> {
        let installed = |name: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
        };
        let mut all = vec![Self::Ours];
        all.extend(installed("mbsync").then_some(Self::Mbsync));
        all.push(Self::Doveadm);
        all.extend(installed("imapsync").then_some(Self::Imapsync));
        all.push(Self::Floor);
        all
    }

    /// For the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ns8-imapsync",
            Self::Mbsync => "mbsync",
            Self::Doveadm => "doveadm backup",
            Self::Imapsync => "imapsync",
            Self::Floor => "limit",
        }
    }
}

/// What a process took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// From start to end.
    pub wall: Duration,
    /// Processor time in seconds: of the program, of the source and of the destination.
    pub cpu: [f64; 3],
    /// The most memory in kilobytes.
    pub memory: u64,
}

/// One program that copies one mailbox into one account.
pub(crate) struct Job<'a> {
    /// The accounts and, for our program, the task.
    pub case: Case<'a>,
    program: Program,
    source: String,
    port: u16,
    dir: PathBuf,
}

impl<'a> Job<'a> {
    /// Prepares what the program needs; `port` is where the source is found.
    pub(crate) fn new(
        sandbox: &'a Sandbox,
        name: &str,
        source: &str,
        port: u16,
        program: Program,
    ) -> anyhow::Result<Self> {
        let dir = sandbox.node().base().join(name);
        std::fs::create_dir_all(&dir)?;
        let job = Self {
            case: Case::new(sandbox, name),
            program,
            source: source.to_owned(),
            port,
            dir,
        };
        match program {
            Program::Ours => job.case.create(json!({
                "remoteusername": source,
                "remotepassword": password(source),
                "remoteport": port,
            }))?,
            Program::Mbsync => job.write("mbsyncrc", &job.mbsync())?,
            Program::Doveadm => {}
            Program::Imapsync | Program::Floor => {
                job.write("pass1", &password(source))?;
                job.write("pass2", MASTER_PASSWORD)?;
            }
        }
        Ok(job)
    }

    /// Copies what is new.
    pub(crate) fn run(&self) -> anyhow::Result<Taken> {
        match self.program {
            Program::Ours => self.measure(&self.case.program(&["start"])?),
            Program::Mbsync => self.measure(&self.mbsync_command(&["-a"])),
            Program::Doveadm => self.measure(&self.doveadm_command()),
            Program::Imapsync => self.measure(&self.imapsync_command(&[])),
            Program::Floor => self.measure(&self.floor_command()?),
        }
    }

    /// Counts both sides; not every program can.
    pub(crate) fn count(&self) -> anyhow::Result<Option<Taken>> {
        Ok(match self.program {
            Program::Ours => Some(self.measure(&self.case.program(&["list-informations"])?)?),
            Program::Mbsync | Program::Doveadm | Program::Floor => None,
            Program::Imapsync => Some(self.measure(&self.imapsync_command(&["--justfoldersizes"]))?),
        })
    }

    /// Logs in on both sides.
    pub(crate) fn login(&self) -> anyhow::Result<Option<Taken>> {
        Ok(match self.program {
            Program::Ours => Some(self.measure(&self.case.program(&["validation"])?)?),
            // It logs in on the remote side alone, and lists its folders.
            Program::Mbsync => Some(self.measure(&self.mbsync_command(&["-l", "-a"]))?),
            Program::Doveadm | Program::Floor => None,
            Program::Imapsync => Some(self.measure(&self.imapsync_command(&["--justlogin"]))?),
        })
    }

    /// The local account has so many messages.
    pub(crate) fn check(&self, messages: usize) -> anyhow::Result<()> {
        let local = self.case.sandbox.local().count(&self.case.name)?;
        // imapsync leaves out messages that it cannot tell from others.
        let enough =
            local == messages || (self.program == Program::Imapsync && local > 0 && local < messages);
        ensure!(
            enough,
            "{} copied {local} of {messages} messages",
            self.program.name()
        );
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.dir.join(name))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    fn mbsync(&self) -> String {
        let sandbox = self.case.sandbox;
        let account = |name: &str, side: Side, port: u16, user: &str, password: &str| {
            let certificate = sandbox.node().server(side).join("cert.pem");
            format!(
                "IMAPAccount {name}\nHost {}\nPort {port}\nUser \"{user}\"\nPass \"{password}\"\nSSLType STARTTLS\n\
                 CertificateFile {}\nAuthMechs LOGIN\n\nIMAPStore {name}\nAccount {name}\n\n",
                sandbox.server(side).address(),
                certificate.display()
            )
        };
        let master = format!("{}*vmail", self.case.name);
        let local = sandbox.local().port();
        account(
            "far",
            Side::Remote,
            self.port,
            &self.source,
            &password(&self.source),
        ) + &account("near", Side::Local, local, &master, MASTER_PASSWORD)
            + &format!(
                "Channel all\nFar :far:\nNear :near:\nPatterns *\nSync Pull\nCreate Near\nCopyArrivalDate yes\n\
                 SyncState {}/\n",
                self.dir.display()
            )
    }

    fn mbsync_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("mbsync");
        command
            .arg("-c")
            .arg(self.dir.join("mbsyncrc"))
            .arg("-q")
            .args(arguments);
        command
    }

    fn imapsync_command(&self, arguments: &[&str]) -> Command {
        let sandbox = self.case.sandbox;
        let mut command = Command::new("imapsync");
        command.args([
            "--nolog",
            "--noauthmd5",
            "--noreleasecheck",
            "--allowsizemismatch",
            "--skipsize",
            "--nofoldersizes",
            "--fastio1",
            "--fastio2",
            "--buffersize",
            "8192000",
            "--tls1",
            "--tls2",
            "--sslargs1",
            "SSL_verify_mode=0",
            "--sslargs2",
            "SSL_verify_mode=0",
            "--exclude",
            "^Shared(/.*)?$|^Public(/.*)?$",
        ]);
        command.arg("--pidfile").arg(self.dir.join("pid"));
        command.args(["--host1", &sandbox.remote().address().to_string()]);
        command.args(["--port1", &self.port.to_string(), "--user1", &self.source]);
        command.arg("--passfile1").arg(self.dir.join("pass1"));
        command.args(["--host2", &sandbox.local().address().to_string()]);
        command.args(["--port2", &sandbox.local().port().to_string()]);
        command.args(["--user2", &format!("{}*vmail", self.case.name)]);
        command.arg("--passfile2").arg(self.dir.join("pass2"));
        command.args(arguments);
        command
    }

    fn doveadm_command(&self) -> Command {
        let sandbox = self.case.sandbox;
        let mut command = sandbox.local().doveadm();
        let mut set = |name: &str, value: &str| {
            command.arg("-o").arg(format!("{name}={value}"));
        };
        set("imapc_host", &sandbox.remote().address().to_string());
        set("imapc_port", &self.port.to_string());
        set("imapc_user", &self.source);
        set("imapc_password", &password(&self.source));
        set("imapc_ssl", "starttls");
        set("imapc_ssl_verify", "no");
        // As Dovecot's manual advises for migrations.
        set("imapc_features", "rfc822.size fetch-headers");
        set("mail_prefetch_count", "20");
        command.args(["backup", "-R", "-u", &self.case.name, "imapc:"]);
        command
    }

    fn floor_command(&self) -> anyhow::Result<Command> {
        let sandbox = self.case.sandbox;
        let mut command = Command::new(std::env::current_exe()?.with_file_name("bench-floor"));
        command.env("RUST_BACKTRACE", "0");
        let mut side = |option: &str, host: String, port: u16, user: &str, file: &str| {
            command
                .args([option, &host, &port.to_string(), user])
                .arg(self.dir.join(file));
        };
        side(
            "--from",
            sandbox.remote().address().to_string(),
            self.port,
            &self.source,
            "pass1",
        );
        let master = format!("{}*vmail", self.case.name);
        let local = sandbox.local();
        side(
            "--to",
            local.address().to_string(),
            local.port(),
            &master,
            "pass2",
        );
        Ok(command)
    }

    /// Runs a command, which must end well.
    fn measure(&self, command: &Command) -> anyhow::Result<Taken> {
        let figures = self.dir.join("figures");
        let mut timed = Command::new("/usr/bin/time");
        timed
            .args(["--quiet", "--format", "%U %S %M", "--output"])
            .arg(&figures);
        timed.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => timed.env(name, value),
                None => timed.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            timed.current_dir(dir);
        }
        let log = std::fs::File::create(self.dir.join("output"))?;
        let servers = [self.case.sandbox.remote(), self.case.sandbox.local()];
        let [source, destination] = servers.map(sandbox::MailServer::processor_seconds);
        let before = [source?, destination?];
        timed.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let status = timed.status().context("cannot run time")?;
        let wall = started.elapsed();
        if !status.success() {
            bail!(
                "{} failed ({status}):\n{}\n{}",
                self.program.name(),
                tail(&self.dir.join("output")),
                self.case.sandbox.log(&self.case.task())
            );
        }
        let text = std::fs::read_to_string(&figures)?;
        let [user, system, memory] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("time said {text:?}");
        };
        Ok(Taken {
            wall,
            cpu: [
                user.parse::<f64>()? + system.parse::<f64>()?,
                servers[0].processor_seconds()? - before[0],
                servers[1].processor_seconds()? - before[1],
            ],
            memory: memory.parse()?,
        })
    }
}

fn password(user: &str) -> String {
    format!("Pw-{}!", user.split('@').next().unwrap_or_default())
}

fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned()
}
