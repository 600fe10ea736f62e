// SPDX-License-Identifier: GPL-3.0-or-later
//! Old encryption, for servers that cannot be updated: OpenSSL speaks what rustls rightly refuses, down to TLS 1.0,
//! RSA key exchange, CBC and keys of 1024 bits. Certificates are checked as always.

use std::pin::Pin;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslMethod, SslOptions, SslVerifyMode, SslVersion};
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_openssl::SslStream;

use super::verifier::Verifier;
use super::{Protected, TlsInfo, Trust};
use crate::imap::error::{Error, Result};
use crate::imap::wire::Stream;

/// Whatever encrypts and authenticates, of any age: keys that are short by today's measure, and SHA-1.
const CIPHERS: &str = "DEFAULT:@SECLEVEL=0";
/// `SSL_OP_LEGACY_SERVER_CONNECT`: a server that does not know of secure renegotiation (RFC 5746). It is never asked for
/// another handshake.
const LEGACY_SERVER_CONNECT: SslOptions = SslOptions::from_bits_retain(0x4);

/// Does the handshake over `stream`; `verifier` judges what the server shows.
pub(super) async fn connect(
    stream: Box<dyn Stream>,
    host: &str,
    name: &ServerName<'_>,
    trust: &Trust,
    verifier: &Arc<Verifier>,
) -> Result<Protected> {
    let failed = |why: String| {
        Error::Tls(format!(
            "TLS with {host} failed, with old encryption allowed: {why}"
        ))
    };
    let ssl = client(host).map_err(|error| failed(error.to_string()))?;
    let mut stream = SslStream::new(ssl, stream).map_err(|error| failed(error.to_string()))?;
    Pin::new(&mut stream)
        .connect()
        .await
        .map_err(|error| failed(explain(&error)))?;
    // Nothing was sent yet but the handshake.
    let chain: Vec<CertificateDer<'_>> = stream
        .ssl()
        .peer_cert_chain()
        .into_iter()
        .flatten()
        .filter_map(|certificate| certificate.to_der().ok().map(CertificateDer::from))
        .collect();
    let (end_entity, intermediates) = chain
        .split_first()
        .ok_or_else(|| failed("the server shows no certificate".to_owned()))?;
    let judged = verifier.verify_server_cert(end_entity, intermediates, name, &[], UnixTime::now());
    if let Err(error) = judged {
        return Err(match verifier.seen() {
            Some(shown) => trust.refusal(host, shown),
            None => failed(error.to_string()),
        });
    }
    let version = stream.ssl().version_str().to_owned();
    Ok(Protected {
        stream: Box::new(stream),
        info: TlsInfo {
            version,
            certificate: verifier.seen(),
        },
    })
}

fn client(host: &str) -> std::result::Result<Ssl, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_cipher_list(CIPHERS)?;
    builder.set_options(SslOptions::NO_COMPRESSION | LEGACY_SERVER_CONNECT);
    let mut configuration = builder.build().configure()?;
    // The handshake goes on whatever the certificate, which is judged at its end, before anything is sent.
    configuration.set_verify(SslVerifyMode::NONE);
    configuration.verify_hostname(false).into_ssl(host)
}

fn explain(error: &openssl::ssl::Error) -> String {
    if let Some(reason) = error
        .ssl_error()
        .and_then(|stack| stack.errors().iter().find_map(openssl::error::Error::reason))
    {
        return reason.to_owned();
    }
    "the server closed the connection during the handshake, or does not speak TLS on this port".to_owned()
}
