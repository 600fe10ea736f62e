// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line of stock imapsync for a task (contract section 5).
//!
//! It is a list of arguments and never meets a shell; passwords are named by file, so that no process
//! list shows them. `snapshots/command.txt` holds the reviewed lines of every shape a task can have.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::imap::{Mailbox, Protocols, UidSet};
use crate::sync::imapsync::excluded;
use crate::task::FileKind;
use crate::task::{FolderMode, RemoteHost, Security, Task};

/// The same for every run.
const FIXED: [&str; 13] = [
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
    // What its owner changed here stays; what changed there is carried over natively.
    "--noresyncflags",
    // The mark of a message that is about to go, by us or by its owner, would let its copy go, too.
    "--regexflag",
    r"s/\\Deleted//gi",
];

/// What IO::Socket::SSL is told for a server that is too old for what it does by itself.
const OLD_ENCRYPTION: [&str; 2] = [
    "SSL_version=SSLv23:!SSLv2:!SSLv3",
    "SSL_cipher_list=DEFAULT:@SECLEVEL=0",
];

/// Octets of a set of UIDs; servers take commands of some thousand octets.
const LONGEST_SET: usize = 4_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a run needs to know in addition to its task.
#[derive(Debug, Clone, Copy)]
pub struct RunContext<'a> {
    /// Where the task's files are.
    pub folder: &'a Path,
    /// The local mail server.
    pub local_host: &'a str,
    /// Its port.
    pub local_port: u16,
    /// The SHA-256 (lower-case hex) of the remote certificate that an administrator accepted.
    pub certificate: Option<&'a str>,
    /// Whether the remote server is known to speak TLS, so that nothing else is accepted from it.
    pub known: bool,
    /// Which encryption is good enough for the remote server.
    pub protocols: Protocols,
    /// The SHA-256 of the certificate that the local server has to show.
    pub local_certificate: Option<&'a str>,
    /// What it logs in with on the remote side.
    pub login: RemoteLogin<'a>,
    /// How many days back messages are looked at; `None` is all of them.
    pub days: Option<u32>,
    /// How much it may pull, where there is a limit.
    pub bytes_per_second: Option<u64>,
    /// The unread messages of the inbox that are to be moved, where it is no other folder.
    pub unread: Option<&'a UidSet>,
    /// The folders that are pulled.
    pub selected: &'a [Mailbox],
    /// The other folders of the source.
    pub left_out: &'a [Mailbox],
}

/// What imapsync logs in with on the remote side; secrets are named by file.
#[derive(Debug, Clone, Copy)]
pub enum RemoteLogin<'a> {
    /// The task's password file.
    Password,
    /// The task's password file, which holds the password of an administrator who acts for the user.
    OnBehalf {
        /// The administrator.
        admin: &'a str,
    },
    /// The access token in the task's token file.
    Token,
}

/// The arguments of imapsync, without its own name.
pub fn arguments(task: &Task, around: &RunContext<'_>) -> Vec<OsString> {
    let file = |kind: FileKind| around.folder.join(task.name().file(kind)).into_os_string();
    let mut arguments: Vec<OsString> = FIXED.map(OsString::from).into();
    let mut add = |option: &str, value: OsString| arguments.extend([option.into(), value]);
    add("--pidfile", file(FileKind::Pid));
    add("--host1", target(&task.remote_host).into());
    add("--user1", task.remote_user.as_str().into());
    match around.login {
        RemoteLogin::Password => add("--passfile1", file(FileKind::Password)),
        RemoteLogin::OnBehalf { admin } => {
            add("--authuser1", admin.into());
            add("--authmech1", "PLAIN".into());
            add("--passfile1", file(FileKind::Password));
        }
        RemoteLogin::Token => add("--oauthaccesstoken1", file(FileKind::Token)),
    }
    add("--port1", task.remote_port.to_string().into());
    add("--host2", around.local_host.into());
    add("--user2", format!("{}*vmail", task.local_user).into());
    add("--passfile2", around.folder.join("vmail.pwd").into_os_string());
    add("--port2", around.local_port.to_string().into());
    for policy in certificate_policy(&task.remote_host, around.certificate) {
        add("--sslargs1", policy.into());
    }
    if around.protocols == Protocols::Old {
        for policy in OLD_ENCRYPTION {
            add("--sslargs1", policy.into());
        }
    }
    if let Some(sha256) = around.local_certificate {
        for policy in [
            "SSL_verify_mode=1".to_owned(),
            format!("SSL_fingerprint=sha256${sha256}"),
        ] {
            add("--sslargs2", policy.into());
        }
    }
    arguments.push("--tls2".into());
    arguments.extend(shape(task, around).into_iter().map(OsString::from));
    arguments
}

/// The part that differs from one kind of task to the next.
fn shape(task: &Task, around: &RunContext<'_>) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |options: &[&str]| arguments.extend(options.iter().map(|&option| option.to_owned()));
    match task.security {
        // Nothing but TLS from the first byte is spoken there.
        Security::Opportunistic if task.remote_port.get() == 993 => add(&["--ssl1"]),
        // imapsync takes STARTTLS where it is offered.
        Security::Opportunistic if around.known => add(&["--tls1"]),
        Security::Opportunistic => {}
        security => add(&[security.as_option()]),
    }
    if task.remote_host.is_gmail() {
        add(&["--gmail1"]);
    }
    if let Some(days) = around.days {
        add(&["--maxage", &days.to_string()]);
    }
    if let Some(bytes) = around.bytes_per_second {
        add(&["--maxbytespersecond", &bytes.to_string()]);
    }
    if task.folders == FolderMode::Inbox {
        add(&["--folder", "INBOX", "--search1", &search(around.unread)]);
    }
    add(&[
        "--exclude",
        &excluded::expression(task, around.selected, around.left_out),
    ]);
    arguments
}

/// How the remote certificate is checked; on the local side, reached under an address that no certificate
/// names, imapsync's default of no check stands.
///
/// IO::Socket::SSL looks at a fingerprint only when it verifies (`SSL_verify_mode=1`), and after STARTTLS
/// it knows no more than the peer's address, so it is told the name to expect and to ask for (SNI).
fn certificate_policy(host: &RemoteHost, pinned: Option<&str>) -> Vec<String> {
    let mut policy = vec![
        "SSL_verify_mode=1".to_owned(),
        format!("SSL_verifycn_name={}", target(host)),
    ];
    if let Some(name) = host.dns_name() {
        policy.push(format!("SSL_hostname={name}"));
    }
    if let Some(sha256) = pinned {
        policy.push(format!("SSL_fingerprint=sha256${sha256}"));
    }
    policy
}

/// Which messages of the inbox are looked at. What is delivered already stays unread where its owner wants that, and what
/// comes meanwhile is the next run's.
fn search(unread: Option<&UidSet>) -> String {
    match unread {
        Some(unread) => format!("UNSEEN UID {unread}"),
        None => "UNSEEN".to_owned(),
    }
}

/// Whether all that is told of messages and folders fits into a command and into an argument.
pub(super) fn fits(left_out: &[Mailbox], unread: Option<&UidSet>) -> bool {
    excluded::fits(left_out) && unread.is_none_or(|set| set.to_string().len() <= LONGEST_SET)
}

/// The host as a connection needs it: an address without brackets, a name in ASCII.
fn target(host: &RemoteHost) -> String {
    match (host.address(), host.dns_name()) {
        (Some(address), _) => address.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => host.to_string(),
    }
}

/// How many days back a run has to look, from `NAME.timestamp`: its content is the folder mode of the last
/// complete run, its time of change that run's start. `None` is everything: the first run, another mode,
/// or a clock that was set back.
pub fn days_since(content: &str, started: SystemTime, now: SystemTime, mode: FolderMode) -> Option<u32> {
    if content.trim() != mode.as_str() {
        return None;
    }
    let age = now.duration_since(started).ok()?;
    u32::try_from(age.as_secs().div_ceil(DAY.as_secs()).max(1)).ok()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::task::{Exclusions, LocalUser, RemoteDeletion, RemoteUser, TaskId, sample};

    const PIN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn task(host: &str) -> Task {
        Task {
            id: TaskId::parse("a0241w").unwrap(),
            local_user: LocalUser::parse("administrator").unwrap(),
            remote_user: RemoteUser::parse("-r1 $(id)@example.com").unwrap(),
            remote_host: RemoteHost::parse(host).unwrap(),
            ..sample::task()
        }
    }

    fn around(certificate: Option<&'static str>, days: Option<u32>) -> RunContext<'static> {
        RunContext {
            folder: Path::new("/etc/imapsync"),
            local_host: "10.5.4.1",
            local_port: 143,
            certificate,
            known: false,
            protocols: Protocols::Current,
            local_certificate: None,
            login: RemoteLogin::Password,
            days,
            bytes_per_second: None,
            unread: None,
            selected: &[],
            left_out: &[],
        }
    }

    fn line(arguments: &[String]) -> String {
        let quoted = arguments.iter().map(|argument| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=".contains(c);
            match !argument.is_empty() && argument.chars().all(plain) {
                true => argument.clone(),
                false => format!("'{argument}'"),
            }
        });
        quoted.collect::<Vec<_>>().join(" ")
    }

    fn text(arguments: Vec<OsString>) -> Vec<String> {
        arguments
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect()
    }

    /// Every combination, one line each: the shape, then the arguments that depend on it.
    fn product() -> String {
        let mut lines = String::new();
        let folders = [
            ("all", FolderMode::All, ",Spam"),
            ("inbox", FolderMode::Inbox, ",Spam"),
            ("exclusion", FolderMode::Exclusion, ""),
            (
                "exclusion-2",
                FolderMode::Exclusion,
                ",folder1,^Gelöschte Objekte$",
            ),
        ];
        let older = NonZeroU32::new(30).unwrap();
        let remote = [
            ("keep", RemoteDeletion::Keep),
            ("delete1", RemoteDeletion::AfterTransfer),
            ("older", RemoteDeletion::OlderThan(older)),
        ];
        let securities = [
            ("none", Security::Opportunistic),
            ("tls", Security::StartTls),
            ("ssl", Security::Tls),
        ];
        for (mode, folders, exclude) in folders {
            for (delete_local, local) in [(false, "keep"), (true, "delete2")] {
                for (remote, delete_remote) in remote {
                    for (protection, security) in securities {
                        for host in ["imap.foo.com", "imap.gmail.com"] {
                            for (run, days) in [("first", None), ("later", Some(2))] {
                                let task = Task {
                                    security,
                                    folders,
                                    exclusions: Exclusions::from_stored(exclude),
                                    delete_local,
                                    delete_remote,
                                    ..task(host)
                                };
                                let arguments = line(&shape(&task, &around(None, days)));
                                lines += &format!(
                                    "{mode} local={local} remote={remote} {protection} {host} {run}: {arguments}\n"
                                );
                            }
                        }
                    }
                }
            }
        }
        lines
    }

    #[test]
    fn every_shape_has_its_reviewed_command_line() {
        let whole = |task: &Task, around: &RunContext<'_>| line(&text(arguments(task, around)));
        let pinned = Task {
            remote_host: RemoteHost::parse("[2001:db8::1]").unwrap(),
            ..task("imap.foo.com")
        };
        let by = |login| {
            let around = RunContext {
                login,
                ..around(None, None)
            };
            whole(&task("outlook.office365.com"), &around)
        };
        let old = RunContext {
            protocols: Protocols::Old,
            ..around(Some(PIN), None)
        };
        let written = format!(
            "# UPDATE_SNAPSHOTS=1 cargo test writes this file again; read the difference before committing it.\n\
             # Five whole lines, then what depends on the shape of the task.\n{}\n{}\n{}\n{}\n{}\n{}",
            whole(&task("bücher.example"), &around(None, None)),
            whole(&pinned, &around(Some(PIN), Some(1))),
            by(RemoteLogin::OnBehalf { admin: "root" }),
            by(RemoteLogin::Token),
            whole(&pinned, &old),
            product()
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sync/imapsync/snapshots/command.txt");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let reviewed = std::fs::read_to_string(&path).unwrap();
        for (reviewed, written) in reviewed.lines().zip(written.lines()) {
            assert_eq!(reviewed, written);
        }
        assert_eq!(reviewed.lines().count(), written.lines().count());
    }

    #[test]
    fn port_993_is_tls_where_nothing_else_is_asked_for() {
        let options = |security, port: &str| {
            let task = Task {
                security,
                remote_port: port.parse().unwrap(),
                ..task("imap.foo.com")
            };
            let options = text(arguments(&task, &around(None, None)));
            ["--ssl1", "--tls1"].map(|option| options.iter().any(|argument| argument == option))
        };
        assert_eq!(options(Security::Opportunistic, "993"), [true, false]);
        assert_eq!(options(Security::Opportunistic, "143"), [false, false]);
        assert_eq!(options(Security::StartTls, "993"), [false, true]);
        assert_eq!(options(Security::Tls, "143"), [true, false]);
    }

    #[test]
    fn no_argument_is_empty_and_a_strange_user_name_is_one_argument() {
        let arguments = text(arguments(&task("imap.foo.com"), &around(None, None)));
        assert!(arguments.iter().all(|argument| !argument.is_empty()));
        let user = arguments
            .iter()
            .position(|argument| argument == "--user1")
            .unwrap()
            + 1;
        assert_eq!(arguments[user], "-r1 $(id)@example.com");
    }

    #[test]
    fn in_the_inbox_only_what_is_planned_is_looked_at() {
        let set = |text: &[u8]| UidSet::parse(text).unwrap();
        assert_eq!(search(Some(&set(b"3:5,9"))), "UNSEEN UID 3:5,9");
        assert_eq!(search(None), "UNSEEN");
        let many: UidSet = (1..4_000).step_by(2).collect();
        assert!(fits(&[], Some(&set(b"3:5,9"))) && !fits(&[], Some(&many)));
    }

    #[test]
    fn a_limit_of_the_bandwidth_is_passed_on() {
        let limited = RunContext {
            bytes_per_second: Some(102_400),
            ..around(None, None)
        };
        let task = task("imap.example.com");
        let words = shape(&task, &limited);
        assert!(
            words
                .windows(2)
                .any(|pair| pair == ["--maxbytespersecond", "102400"])
        );
        assert!(
            !shape(&task, &around(None, None))
                .iter()
                .any(|word| word == "--maxbytespersecond")
        );
    }

    #[test]
    fn the_window_is_whole_days_rounded_up_while_the_mode_is_the_same() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_405_173);
        let days = |content, ago| days_since(content, now - Duration::from_secs(ago), now, FolderMode::All);
        assert_eq!(days("all", 0), Some(1));
        assert_eq!(days("all\n", 24 * 60 * 60), Some(1));
        assert_eq!(days("all", 24 * 60 * 60 + 1), Some(2));
        assert_eq!(days("inbox", 60), None);
        assert_eq!(days("", 60), None);
        let later = now + Duration::from_secs(60);
        assert_eq!(days_since("all", later, now, FolderMode::All), None);
    }
}
