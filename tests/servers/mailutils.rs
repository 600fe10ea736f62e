// SPDX-License-Identifier: GPL-3.0-or-later
//! GNU Mailutils' imap4d: one file a folder, whose UIDs are in the messages.

use sandbox::Sandbox;

use crate::source::{Source, folder, installed, not_tried, port, script, serve};
use crate::steps;

#[test]
fn imap4d() -> anyhow::Result<()> {
    let root = match installed("/usr/sbin/imap4d") {
        Ok(root) => root,
        Err(reason) => {
            not_tried("GNU Mailutils imap4d", &reason);
            return Ok(());
        }
    };
    let sandbox = Sandbox::start()?;
    let (files, dir) = folder(&root)?;
    let port = port()?;
    let settings = format!(
        "mailbox {{ mail-spool \"{dir}/spool\"; }};\nlogging {{ syslog no; }};\npam {{ service \"imap\"; }};\n\
         namespace personal {{ prefix \"\" {{ directory \"{dir}/Mail\"; delimiter \"/\"; }}; }};\n\
         server 127.0.0.1:{port} {{ }};\n"
    );
    std::fs::write(files.path().join("imap4d.conf"), settings)?;
    script(
        &root,
        &format!("mkdir -p {dir}/Mail {dir}/spool; touch {dir}/spool/gnu; chown -R gnu:gnu {dir}"),
    )?;
    let start = format!("exec imap4d --foreground --daemon=40 --config-file={dir}/imap4d.conf 2> {dir}/log");
    let server = serve(&sandbox, &root, &start, port)?;
    let source = Source {
        steady: false,
        _servers: vec![server],
        _folder: Some(files),
        ..Source::new(port, "gnu", "Pw-gnu")
    };
    steps::all(&sandbox, "GNU Mailutils imap4d", &source)
}
