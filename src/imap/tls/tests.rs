// SPDX-License-Identifier: GPL-3.0-or-later
//! Every kind of trust meets every kind of certificate.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::imap::certificate::Fault;

const HOST: &str = "imap.good.example";

/// A certificate with its key.
struct ServerCertificate {
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

impl ServerCertificate {
    fn sha256(&self) -> String {
        Certificate::new(&self.der, Ok(())).sha256
    }
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test CA");
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn issue(&self, host: &str, expired: bool) -> ServerCertificate {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        let certificate = params.signed_by(&key, issuer).unwrap();
        ServerCertificate {
            der: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }
}

fn self_signed(host: &str) -> ServerCertificate {
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    ServerCertificate {
        der: made.cert.der().clone(),
        key: made.signing_key.serialize_der(),
    }
}

fn acceptor(shown: &ServerCertificate) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![shown.der.clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(shown.key.clone())),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn meet(
    roots: Arc<RootCertStore>,
    shown: &ServerCertificate,
    trust: &Trust,
    protocols: Protocols,
) -> Result<TlsInfo> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let server = acceptor(shown);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let (ended, _) = tokio::join!(
                connect_with(
                    Client::new(roots, trust).unwrap(),
                    Box::new(ours),
                    HOST,
                    protocols
                ),
                server.accept(theirs)
            );
            ended.map(|protected| protected.info)
        })
}

#[test]
fn what_was_trusted_is_not_replaced_by_less() {
    let authority = Authority::new();
    let good = authority.issue(HOST, false);
    let renewed = authority.issue(HOST, false);
    let other_name = authority.issue("imap.evil.example", false);
    let expired = authority.issue(HOST, true);
    let own = self_signed(HOST);
    let another = self_signed(HOST);
    let stranger = Authority::new().issue(HOST, false);
    let pinned = Trust::Pinned(own.sha256().to_uppercase());
    let cases = [
        ("good", &good, None, [true, true, true, true]),
        ("renewed", &renewed, None, [true, true, true, true]),
        (
            "other name",
            &other_name,
            Some(Fault::OtherName),
            [false, false, false, true],
        ),
        (
            "expired",
            &expired,
            Some(Fault::Expired),
            [false, false, false, true],
        ),
        (
            "pinned",
            &own,
            Some(Fault::SelfSigned),
            [false, true, false, true],
        ),
        (
            "another",
            &another,
            Some(Fault::SelfSigned),
            [false, false, false, true],
        ),
        (
            "stranger",
            &stranger,
            Some(Fault::UnknownAuthority),
            [false, false, false, true],
        ),
    ];
    for (name, shown, fault, accepted) in cases {
        let trusts = [Trust::Authorities, pinned.clone(), Trust::Ask, Trust::Learn];
        let both = [Protocols::Current, Protocols::Old];
        let cases = trusts.iter().zip(accepted);
        for ((trust, accepted), protocols) in cases.flat_map(|case| both.map(|protocols| (case, protocols))) {
            let met = meet(authority.roots(), shown, trust, protocols);
            match met {
                Ok(info) => {
                    assert!(accepted, "{name} was accepted by {trust:?}");
                    let certificate = info.certificate.unwrap();
                    assert_eq!(
                        (certificate.fault, certificate.trusted),
                        (fault, fault.is_none()),
                        "{name}"
                    );
                }
                Err(Error::CertificateRefused(refused)) => {
                    assert!(!accepted, "{name} was refused by {trust:?}: {refused}");
                    assert_eq!(refused.shown.fault, fault, "{name}");
                    assert!(refused.to_string().contains(&shown.sha256()), "{refused}");
                }
                Err(error) => panic!("{name}, {trust:?}: {error}"),
            }
        }
    }
}

#[test]
fn another_name_is_told_apart_from_a_signature_of_ones_own() {
    let authority = Authority::new();
    let refusal = |shown: &ServerCertificate| {
        let refused = meet(authority.roots(), shown, &Trust::Authorities, Protocols::Current).unwrap_err();
        refused.to_string()
    };
    let said = refusal(&authority.issue("imap.evil.example", false));
    assert!(said.contains("another name (imap.evil.example)"), "{said}");
    let said = refusal(&self_signed(HOST));
    assert!(said.contains("self-signed"), "{said}");
}

#[test]
fn a_renewal_is_known_by_its_name() {
    let authority = Authority::new();
    let own = self_signed("mail.local.example");
    let trust = Trust::Renewable {
        pin: own.sha256(),
        names: vec!["mail.local.example".to_owned()],
    };
    for (shown, accepted) in [
        (&own, true),
        (&authority.issue("mail.local.example", false), true),
        (&authority.issue("mail.evil.example", false), false),
        // The address that is spoken to says nothing.
        (&authority.issue(HOST, false), false),
        (&self_signed("mail.local.example"), false),
    ] {
        for protocols in [Protocols::Current, Protocols::Old] {
            let met = meet(authority.roots(), shown, &trust, protocols);
            assert_eq!(met.is_ok(), accepted, "{protocols:?}");
        }
    }
}

/// How the server made a connection on these terms.
async fn handshake(shared: &Shared, server: &TlsAcceptor, trust: &Trust) -> Option<HandshakeKind> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let client = shared.client(Authority::new().roots(), trust).unwrap();
    let (protected, accepted) = tokio::join!(
        connect_with(client, Box::new(ours), HOST, Protocols::Current),
        server.accept(theirs)
    );
    let (mut stream, mut accepted) = (protected.ok()?.stream, accepted.ok()?);
    // What the next connection goes on with is sent along with the first words.
    accepted.write_all(b"*").await.unwrap();
    accepted.flush().await.unwrap();
    stream.read_u8().await.unwrap();
    accepted.get_ref().1.handshake_kind()
}

#[test]
fn later_connections_go_on_with_the_keys_of_the_first_on_the_same_terms() {
    let (own, other) = (self_signed(HOST), self_signed(HOST));
    let (pinned, other_pin) = (Trust::Pinned(own.sha256()), Trust::Pinned(other.sha256()));
    let server = acceptor(&own);
    let shared = Shared::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert_eq!(
            handshake(&shared, &server, &pinned).await,
            Some(HandshakeKind::Full)
        );
        assert_eq!(
            handshake(&shared.clone(), &server, &pinned).await,
            Some(HandshakeKind::Resumed)
        );
        assert_eq!(
            handshake(&shared, &server, &Trust::Learn).await,
            Some(HandshakeKind::Full)
        );
        assert_eq!(handshake(&shared, &server, &other_pin).await, None);
        assert_eq!(handshake(&shared, &acceptor(&other), &pinned).await, None);
    });
}
