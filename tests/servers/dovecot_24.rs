// SPDX-License-Identifier: GPL-3.0-or-later
//! Dovecot 2.4, whose settings are none of 2.3's: as the source, and as the mail module's server.

use std::path::{Path, PathBuf};

use sandbox::{MASTER_PASSWORD, Sandbox, Server};

use crate::source::{Source, folder, installed, not_tried, port, script, serve};
use crate::steps;

fn root(name: &str) -> Option<PathBuf> {
    installed("/usr/sbin/dovecot")
        .inspect_err(|reason| not_tried(name, reason))
        .ok()
}

/// Starts it in its folder.
fn start(sandbox: &Sandbox, root: &Path, files: &Path, dir: &str, port: u16) -> anyhow::Result<Server> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    std::fs::write(files.join("key.pem"), made.signing_key.serialize_pem())?;
    std::fs::write(files.join("cert.pem"), made.cert.pem())?;
    let settings = format!(
        "dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols {{
  imap = yes
}}
listen = 127.0.0.1
ssl = yes
ssl_server_cert_file = {dir}/cert.pem
ssl_server_key_file = {dir}/key.pem
auth_allow_cleartext = yes
auth_failure_delay = 0
auth_master_user_separator = *
mail_driver = maildir
mail_path = ~/Maildir
mail_inbox_path = ~/Maildir
mail_max_userip_connections = 100
first_valid_uid = 1
first_valid_gid = 1
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb masters {{
  driver = passwd-file
  passwd_file_path = {dir}/masters
  master = yes
  result_success = continue
}}
passdb users {{
  driver = passwd-file
  passwd_file_path = {dir}/users
}}
userdb static {{
  fields {{
    uid = dovecot
    gid = dovecot
    home = {dir}/mail/%{{user}}
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"
    );
    std::fs::write(files.join("dovecot.conf"), settings)?;
    std::fs::write(
        files.join("masters"),
        format!("vmail:{{PLAIN}}{MASTER_PASSWORD}\n"),
    )?;
    let users: String = ["newer", "dovecot24destination", "dovecot24destination-inbox"]
        .iter()
        .map(|user| format!("{user}:{{PLAIN}}Pw-{user}\n"))
        .collect();
    std::fs::write(files.join("users"), users)?;
    script(root, &format!("mkdir {dir}/mail; chown dovecot {dir}/mail"))?;
    serve(
        sandbox,
        root,
        &format!("exec dovecot -F -c {dir}/dovecot.conf"),
        port,
    )
}

#[test]
fn as_the_source() -> anyhow::Result<()> {
    let Some(root) = root("Dovecot 2.4") else {
        return Ok(());
    };
    let sandbox = Sandbox::start()?;
    let (files, dir) = folder(&root)?;
    let port = port()?;
    let server = start(&sandbox, &root, files.path(), &dir, port)?;
    let source = Source {
        _servers: vec![server],
        _folder: Some(files),
        ..Source::new(port, "newer", "Pw-newer")
    };
    steps::all(&sandbox, "Dovecot 2.4", &source)
}

#[test]
fn as_the_destination() -> anyhow::Result<()> {
    let Some(root) = root("Dovecot 2.4 destination") else {
        return Ok(());
    };
    let sandbox = Sandbox::start()?;
    let (files, dir) = folder(&root)?;
    let port = port()?;
    let server = start(&sandbox, &root, files.path(), &dir, port)?;
    let destination = Source {
        _servers: vec![server],
        _folder: Some(files),
        ..Source::new(port, "dovecot24destination", "Pw-dovecot24destination")
    };
    let remote = sandbox.remote();
    let source = Source {
        host: remote.address().to_string(),
        separator: '.',
        ..Source::new(remote.port(), "r1@example.com", "Pw-r1!")
    };
    steps::into(&sandbox, "Dovecot 2.4 destination", &source, &destination)
}
