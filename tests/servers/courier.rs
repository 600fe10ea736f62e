// SPDX-License-Identifier: GPL-3.0-or-later
//! Courier: all folders below the inbox, and answers that wait for an acknowledgement.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use sandbox::{Case, Sandbox};
use serde_json::json;

use crate::source::{Source, installed, not_tried, port, script, serve};
use crate::steps;

/// The account in the root.
const USER: &str = "cora";

fn start(sandbox: &Sandbox, root: &Path) -> anyhow::Result<Source> {
    let port = port()?;
    script(
        root,
        &format!(
            "rm -rf /srv/{USER}/Maildir; mkdir -p /run/courier/authdaemon
             setpriv --reuid={USER} --regid={USER} --clear-groups maildirmake.courier /srv/{USER}/Maildir"
        ),
    )?;
    let start = format!(
        "/usr/lib/courier/courier-authlib/authdaemond &
         set -a; . /etc/courier/imapd-ssl; . /etc/courier/imapd; IMAP_STARTTLS=NO; set +a
         exec /usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=40 -maxperip=40 -nodnslookup {port} \
         /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir"
    );
    let server = serve(sandbox, root, &start, port)?;
    let source = Source {
        prefix: "INBOX.",
        separator: '.',
        _servers: vec![server],
        ..Source::new(port, USER, &format!("Pw-{USER}"))
    };
    sandbox::wait_until("Courier to know its users", || source.imap().is_ok())?;
    Ok(source)
}

#[test]
fn courier() -> anyhow::Result<()> {
    let root = match installed("/usr/sbin/couriertcpd") {
        Ok(root) => root,
        Err(reason) => {
            not_tried("Courier", &reason);
            return Ok(());
        }
    };
    let sandbox = Sandbox::start()?;
    steps::all(&sandbox, "Courier", &start(&sandbox, &root)?)?;

    // What a run without news among many folders takes.
    let source = start(&sandbox, &root)?;
    let mut imap = source.imap()?;
    for folder in 0..205 {
        imap.run(&format!("CREATE INBOX.Folder{folder}"))?;
        let mut message = String::new();
        write!(message, "Message-Id: <{folder}@many>\r\n\r\nbody\r\n")?;
        imap.append(&format!("INBOX.Folder{folder}"), "", message.as_bytes())?;
    }
    drop(imap);
    let case = Case::new(&sandbox, "u2");
    let input = case.input(json!({
        "remotehostname": source.host,
        "remoteport": source.port,
        "security": "",
        "remoteusername": source.user,
        "remotepassword": source.password,
    }));
    anyhow::ensure!(sandbox.action("create-task", input)?.is_ok());
    case.run_copies(205)?;
    case.run_copies(0)?;
    let mut times = vec![];
    for _ in 0..5 {
        let started = Instant::now();
        let status = case.program(&["start"])?.status()?;
        times.push(started.elapsed());
        anyhow::ensure!(status.success());
    }
    times.sort();
    println!("Courier: 206 folders without news: {times:?}");
    Ok(())
}
