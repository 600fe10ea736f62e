// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers that cannot be updated: a relay with the encryption of its time before Dovecot.

use std::net::SocketAddr;

use anyhow::ensure;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVersion};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509Name};
use sandbox::{NewMail, Sandbox, Side};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

use super::keys;
use crate::support::{TASK, USER, action_output};

/// A key and its self-signed certificate for 127.0.0.1.
struct Identity {
    key: PKey<Private>,
    certificate: X509,
}

impl Identity {
    fn new(key: PKey<Private>, version: i32) -> anyhow::Result<Self> {
        let mut name = X509Name::builder()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "127.0.0.1")?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(version - 1)?;
        let serial = BigNum::from_u32(1)?.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        let (begin, end) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(30)?);
        builder.set_not_before(&begin)?;
        builder.set_not_after(&end)?;
        builder.set_pubkey(&key)?;
        if version == 3 {
            let address = SubjectAlternativeName::new()
                .ip("127.0.0.1")
                .build(&builder.x509v3_context(None, None))?;
            builder.append_extension(address)?;
        }
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        Ok(Self { key, certificate })
    }

    fn rsa(bits: u32, version: i32) -> anyhow::Result<Self> {
        Self::new(PKey::from_rsa(Rsa::generate(bits)?)?, version)
    }

    fn fingerprint(&self) -> anyhow::Result<String> {
        let digest = self.certificate.digest(MessageDigest::sha256())?;
        Ok(digest.iter().map(|octet| format!("{octet:02x}")).collect())
    }
}

/// What a server of its time speaks.
#[derive(Clone, Copy)]
struct Age {
    newest: SslVersion,
    ciphers: &'static str,
}

/// Takes TLS off and passes on, until the process ends; gives its port.
fn relay(identity: &Identity, age: Age, behind: SocketAddr) -> anyhow::Result<u16> {
    let mut builder = SslAcceptor::mozilla_intermediate(SslMethod::tls_server())?;
    builder.clear_options(openssl::ssl::SslOptions::all());
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_max_proto_version(Some(age.newest))?;
    builder.set_cipher_list(age.ciphers)?;
    builder.set_private_key(&identity.key)?;
    builder.set_certificate(&identity.certificate)?;
    let acceptor = builder.build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (client, _) = listener.accept().await?;
                let ssl = Ssl::new(acceptor.context())?;
                tokio::spawn(async move {
                    let mut client = SslStream::new(ssl, client)?;
                    std::pin::Pin::new(&mut client).accept().await?;
                    let mut server = TcpStream::connect(behind).await?;
                    copy_bidirectional(&mut client, &mut server).await?;
                    anyhow::Ok(())
                });
            }
        })
    });
    Ok(port)
}

fn source(port: u16, more: &Value) -> Value {
    let mut source = json!({
        "source_id": "old",
        "label": "The old server",
        "preset": "imap",
        "hostname": "127.0.0.1",
        "port": port,
        "security": "ssl",
        "sign_in": "password",
    });
    let fields = more.as_object().cloned().unwrap_or_default();
    source.as_object_mut().unwrap().extend(fields);
    source
}

fn task(sandbox: &Sandbox) -> Value {
    let mut task = sandbox.task_with(json!({"source": "old", "start": false}));
    for name in ["remotehostname", "remoteport", "security"] {
        task.as_object_mut().unwrap().remove(name);
    }
    task
}

#[test]
fn old_encryption_is_spoken_where_it_is_allowed_and_nowhere_else() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let behind = SocketAddr::from((sandbox.remote().address(), sandbox.remote().port()));
    let curve = EcGroup::from_curve_name(Nid::SECP521R1)?;
    let everything = "ALL:@SECLEVEL=0";
    let rsa = || Identity::rsa(2048, 3);
    let cases = [
        ("TLS 1.0", rsa()?, SslVersion::TLS1, everything, "TLSv1"),
        ("TLS 1.1", rsa()?, SslVersion::TLS1_1, everything, "TLSv1.1"),
        (
            "RSA key exchange",
            rsa()?,
            SslVersion::TLS1_2,
            "AES256-GCM-SHA384",
            "TLSv1.2",
        ),
        (
            "CBC",
            rsa()?,
            SslVersion::TLS1_2,
            "ECDHE-RSA-AES256-SHA",
            "TLSv1.2",
        ),
        (
            "a short key",
            Identity::rsa(1024, 3)?,
            SslVersion::TLS1_2,
            everything,
            "TLSv1.2",
        ),
        (
            "X.509 version 1",
            Identity::rsa(2048, 1)?,
            SslVersion::TLS1_2,
            everything,
            "TLSv1.2",
        ),
        (
            "P-521",
            Identity::new(PKey::from_ec_key(EcKey::generate(&curve)?)?, 3)?,
            SslVersion::TLS1_2,
            everything,
            "TLSv1.2",
        ),
    ];
    for (at, (name, identity, newest, ciphers, spoken)) in cases.into_iter().enumerate() {
        let port = relay(&identity, Age { newest, ciphers }, behind)?;
        sandbox.add_mail(Side::Remote, USER, &[NewMail::new(&format!("{at}@old"))])?;

        action_output(&sandbox, "save-source", source(port, &json!({})))?;
        let refused = sandbox.action("create-task", task(&sandbox))?;
        ensure!(keys(&refused) == ["SSL_encryption_error"], "{name}: {refused:?}");

        // Allowing it does not make a certificate good that no authority vouches for.
        let mut allowed = json!({"old_encryption": true, "certificate": "ab".repeat(32)});
        action_output(&sandbox, "save-source", source(port, &allowed))?;
        let refused = sandbox.action("create-task", task(&sandbox))?;
        ensure!(keys(&refused) == ["certificate_changed"], "{name}: {refused:?}");

        allowed["certificate"] = identity.fingerprint()?.into();
        action_output(&sandbox, "save-source", source(port, &allowed))?;
        let tested = action_output(&sandbox, "validate-task", task(&sandbox))?;
        let remote = &tested["remote"];
        ensure!(remote["status"] == "ok", "{name}: {tested}");
        ensure!(remote["tls"]["version"] == spoken, "{name}: {tested}");
        ensure!(
            remote["message"]
                .as_str()
                .is_some_and(|said| said.contains("old encryption")),
            "{name}: {tested}"
        );
        let created = sandbox.action("create-task", task(&sandbox))?;
        ensure!(created.is_ok(), "{name}: {created:?}");
        let run = sandbox.syncctl(&["start", TASK])?;
        let log = sandbox.log(TASK);
        ensure!(run.exit_code == 0, "{name}: {log}");
        ensure!(log.contains("warning: old encryption"), "{name}: {log}");
        let arrived: usize = sandbox.mailbox(Side::Local, "u1")?.values().map(Vec::len).sum();
        ensure!(arrived == at + 1, "{name}: {arrived} messages");
        action_output(&sandbox, "delete-task", json!({"localuser": "u1"}))?;
    }
    Ok(())
}
