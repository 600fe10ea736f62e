// SPDX-License-Identifier: GPL-3.0-or-later
//! A real authorization server (npm's oidc-provider), whose tokens the remote Dovecot takes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::node::Node;
use crate::server::Server;
use crate::{MailServer, Sandbox};

const HOST: &str = "127.0.0.1";

/// The server; dropping it stops it.
#[derive(Debug)]
pub struct Issuer {
    _server: Server,
    facts: Facts,
    authority: String,
    imap: (String, u16),
    certificate: String,
}

/// What the server tells of itself.
#[derive(Debug, Deserialize)]
struct Facts {
    issuer: String,
    introspection: String,
    control: String,
    application_key: String,
    service_account: Value,
}

impl Issuer {
    /// Starts the server, and has the sandbox's remote Dovecot take its tokens.
    ///
    /// # Errors
    /// When Node and the package can neither be found nor installed.
    pub fn start(sandbox: &Sandbox) -> anyhow::Result<Self> {
        Self::start_for(sandbox.node(), sandbox.remote())
    }

    fn start_for(node: &Node, remote: &MailServer) -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("issuer/start.sh");
        let installed = Command::new(&script).arg("--install").status()?;
        ensure!(
            installed.success(),
            "the issuer cannot be installed; see target/issuer/install.log"
        );
        let dir = node.base().join("issuer");
        std::fs::create_dir_all(&dir)?;
        let file = |name: &str| -> PathBuf { dir.join(name) };
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()])?;
        let authority = made.cert.pem();
        std::fs::write(file("cert.pem"), &authority)?;
        std::fs::write(file("key.pem"), made.signing_key.serialize_pem())?;
        let settings = json!({
            "host": HOST,
            "ready": file("ready"),
            "key": file("key.pem"),
            "certificate": file("cert.pem"),
        });
        std::fs::write(file("settings.json"), settings.to_string())?;
        let mut command = Command::new(script);
        command.arg(file("settings.json"));
        let server = Server::start(node, command, || file("ready").exists())?;
        let facts: Facts = serde_json::from_slice(&std::fs::read(file("ready"))?)?;
        remote.accept_tokens(&facts.introspection)?;
        Ok(Self {
            _server: server,
            facts,
            authority,
            imap: (remote.address().to_string(), remote.port()),
            certificate: remote.certificate()?,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.facts.issuer
    }

    /// The fields of a source that signs in here: `application`, `certified` (an application with a certificate),
    /// `expired` (one whose secret has expired), `service-account`, `device-code` or `authorization-code`.
    pub fn source(&self, kind: &str) -> anyhow::Result<Value> {
        let personal = "openid offline_access imap";
        let mut fields = json!({
            "source_id": kind,
            "label": format!("By {kind}"),
            "hostname": self.imap.0,
            "port": self.imap.1,
            "security": "tls",
            "certificate": self.certificate,
            "sign_in": kind,
            "issuer": self.url(),
            "authority_certificates": self.authority,
            "scope": "imap",
        });
        let more = match kind {
            "application" => json!({
                "client_id": "application",
                "client_secret_password": "Application-s3cret",
                "client_secret_expires": "2099-12-31",
            }),
            "expired" => json!({
                "sign_in": "application",
                "client_id": "expired",
                "client_secret_password": "Application-s3cret",
            }),
            "certified" => {
                let key = rcgen::KeyPair::from_pem(&self.facts.application_key)?;
                let certificate =
                    rcgen::CertificateParams::new(vec!["application".to_owned()])?.self_signed(&key)?;
                json!({
                    "sign_in": "application",
                    "client_id": "certified",
                    "client_certificate": certificate.pem(),
                    "client_key_password": self.facts.application_key,
                })
            }
            "service-account" => {
                json!({"issuer": "", "service_account_password": self.facts.service_account.to_string()})
            }
            "device-code" => json!({"client_id": "device", "scope": personal}),
            "authorization-code" => json!({
                "client_id": "web",
                "client_secret_password": "Web-s3cret",
                "client_authentication": "basic",
                "scope": personal,
            }),
            _ => bail!("there is no source {kind}"),
        };
        for (name, value) in more.as_object().into_iter().flatten() {
            fields[name] = value.clone();
        }
        Ok(fields)
    }

    /// How long the tokens of now on are good, in seconds.
    pub fn set_life(&self, seconds: u64) -> anyhow::Result<()> {
        self.control(json!({"life": seconds})).map(|_| ())
    }

    /// What the token endpoint does from now on: `ok`, `slow` (it does nothing), `lost` (it does what it is asked for, and
    /// does not answer), `html`, `trouble` (503), `busy` (429, once), or an answer `{"status", "body"}`.
    pub fn set_mode(&self, mode: impl Into<Value>) -> anyhow::Result<()> {
        let mode: Value = mode.into();
        self.control(json!({"mode": mode})).map(|_| ())
    }

    /// Whether a refresh token is good for one use only, or again and again.
    pub fn set_rotation(&self, rotate: bool) -> anyhow::Result<()> {
        self.control(json!({"rotate": rotate})).map(|_| ())
    }

    /// How many seconds its clock is ahead.
    pub fn set_clock(&self, seconds: i64) -> anyhow::Result<()> {
        self.control(json!({"clock": seconds})).map(|_| ())
    }

    /// Takes back everything that a person was given.
    pub fn revoke(&self, login: &str) -> anyhow::Result<()> {
        self.control(json!({"revoke": login})).map(|_| ())
    }

    /// Forgets all access tokens, but not what new ones are got with.
    pub fn forget_access_tokens(&self) -> anyhow::Result<()> {
        self.control(json!({"forget": true})).map(|_| ())
    }

    /// The grants that tokens were asked for on so far.
    pub fn requests(&self) -> anyhow::Result<Vec<String>> {
        let answer = self.control(json!({}))?;
        Ok(serde_json::from_value(answer["requests"].clone())?)
    }

    /// A person opens an address in a browser and signs in as `login`, or declines; the address the browser ends at
    /// outside of the issuer, or the last page.
    pub fn browse(&self, url: &str, login: &str, decline: bool) -> anyhow::Result<String> {
        let answer = self.control(json!({"browse": {"url": url, "login": login, "decline": decline}}))?;
        Ok(answer["ended"]
            .as_str()
            .context("the browser ended nowhere")?
            .to_owned())
    }

    fn control(&self, order: Value) -> anyhow::Result<Value> {
        let address = self.facts.control.strip_prefix("http://").context("no control")?;
        let (address, path) = address.split_once('/').context("no control")?;
        let body = order.to_string();
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "POST /{path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the issuer said nothing")?;
        ensure!(head.contains(" 200 "), "{body}");
        Ok(serde_json::from_str(body)?)
    }
}
