// SPDX-License-Identifier: GPL-3.0-or-later
//! What stands before a server in many houses: nginx, perdition, stunnel. Dovecot is behind them.

use std::path::{Path, PathBuf};

use sandbox::{Sandbox, Server};

use crate::source::{Source, folder, inside, installed, not_tried, port, serve};
use crate::steps;

/// Tries what `start` starts before the remote Dovecot: root, folder outside and inside, and the port are given to it.
fn before(
    name: &str,
    program: &str,
    start: fn(&Sandbox, &Path, &(PathBuf, String), u16) -> anyhow::Result<Server>,
    security: &'static str,
) -> anyhow::Result<()> {
    let root = match installed(program) {
        Ok(root) => root,
        Err(reason) => {
            not_tried(name, &reason);
            return Ok(());
        }
    };
    let sandbox = Sandbox::start()?;
    let (files, dir) = folder(&root)?;
    let port = port()?;
    let server = start(&sandbox, &root, &(files.path().to_path_buf(), dir), port)?;
    let behind = sandbox.remote();
    let source = Source {
        security,
        direct: Some((behind.address().to_string(), behind.port())),
        separator: '.',
        _servers: vec![server],
        _folder: Some(files),
        ..Source::new(port, "r1@example.com", "Pw-r1!")
    };
    steps::all(&sandbox, name, &source)
}

#[test]
fn nginx() -> anyhow::Result<()> {
    before("nginx mail proxy", "/usr/sbin/nginx", start_nginx, "")
}

fn start_nginx(
    sandbox: &Sandbox,
    root: &Path,
    (files, dir): &(PathBuf, String),
    at: u16,
) -> anyhow::Result<Server> {
    let asked = port()?;
    let behind = sandbox.remote();
    let settings = format!(
        "load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
user root;
pid {dir}/pid;
error_log {dir}/log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  server {{
    listen 127.0.0.1:{asked};
    location / {{
      add_header Auth-Status OK;
      add_header Auth-Server {};
      add_header Auth-Port {};
      return 200;
    }}
  }}
}}
mail {{
  auth_http 127.0.0.1:{asked}/;
  server {{
    listen 127.0.0.1:{at};
    protocol imap;
    proxy_pass_error_message on;
  }}
}}
",
        behind.address(),
        behind.port()
    );
    std::fs::write(files.join("nginx.conf"), settings)?;
    let start = format!("exec nginx -e {dir}/log -c {dir}/nginx.conf");
    serve(sandbox, root, &start, at)
}

#[test]
fn perdition() -> anyhow::Result<()> {
    before("perdition", "/usr/sbin/perdition", start_perdition, "")
}

fn start_perdition(
    sandbox: &Sandbox,
    root: &Path,
    (_, dir): &(PathBuf, String),
    at: u16,
) -> anyhow::Result<Server> {
    let behind = sandbox.remote();
    let start = format!(
        "exec perdition --config_file /dev/null --protocol IMAP4 --bind_address 127.0.0.1 --listen_port {at} \
         --outgoing_server {} --outgoing_port {} --no_daemon --pid_file {dir}/pid --username nobody --group nogroup \
         --ssl_mode none --no_lookup",
        behind.address(),
        behind.port()
    );
    serve(sandbox, root, &start, at)
}

#[test]
fn stunnel() -> anyhow::Result<()> {
    before("stunnel", "/usr/bin/stunnel4", start_stunnel, "ssl")
}

fn start_stunnel(
    sandbox: &Sandbox,
    root: &Path,
    (files, dir): &(PathBuf, String),
    at: u16,
) -> anyhow::Result<Server> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let both = made.signing_key.serialize_pem() + &made.cert.pem();
    std::fs::write(files.join("both.pem"), both)?;
    let behind = sandbox.remote();
    let settings = format!(
        "foreground = yes\npid =\noutput = {dir}/log\n[imap]\naccept = 127.0.0.1:{at}\nconnect = {}:{}\ncert = {dir}/both.pem\n",
        behind.address(),
        behind.port()
    );
    std::fs::write(files.join("stunnel.conf"), settings)?;
    let command = inside(root, &["stunnel4", &format!("{dir}/stunnel.conf")]);
    Server::start(sandbox.node(), command, || {
        std::net::TcpStream::connect(("127.0.0.1", at)).is_ok()
    })
}
