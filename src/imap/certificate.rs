// SPDX-License-Identifier: GPL-3.0-or-later
//! The certificate of a server, as it is shown to people.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::text::printable;

/// What a certificate says, for people to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Certificate {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
    /// SHA-256 of the DER form, lower-case hex.
    pub sha256: String,
    /// Whether the world's authorities vouch for it.
    pub trusted: bool,
    /// Why they do not.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// The names of servers that it is for.
    #[serde(default)]
    pub names: Vec<String>,
}

/// Why the authorities do not vouch for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Signed by itself.
    SelfSigned,
    /// Signed by somebody who is no authority here.
    UnknownAuthority,
    /// Vouched for, but under another name than that of the server.
    OtherName,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Taken back by its authority.
    Revoked,
    /// Made for something else than servers.
    OtherPurpose,
    /// Of a form, or with a signature, that cannot be verified.
    Unverifiable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SelfSigned => "it is self-signed",
            Self::UnknownAuthority => "it is signed by an unknown authority",
            Self::OtherName => "it is the certificate of another name",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::Revoked => "it was revoked",
            Self::OtherPurpose => "it is not meant for servers",
            Self::Unverifiable => "it cannot be verified",
        })
    }
}

/// Beyond that many, names are left out: certificates of large hosters have hundreds.
const MOST_NAMES: usize = 20;

impl Certificate {
    /// Reads a certificate. `verified` is what the authorities say of it.
    pub fn new(der: &[u8], verified: Result<(), Fault>) -> Self {
        let sha256 = hex(&Sha256::digest(der));
        let trusted = verified.is_ok();
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(der) else {
            return Self {
                subject: String::new(),
                issuer: String::new(),
                not_before: String::new(),
                not_after: String::new(),
                sha256,
                trusted,
                fault: verified.err(),
                names: vec![],
            };
        };
        let own = parsed.subject() == parsed.issuer();
        let fault = verified.err().map(|fault| match fault {
            Fault::UnknownAuthority | Fault::Unverifiable if own => Fault::SelfSigned,
            fault => fault,
        });
        Self {
            subject: printable(&parsed.subject().to_string()).into_owned(),
            issuer: printable(&parsed.issuer().to_string()).into_owned(),
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
            sha256,
            trusted,
            fault,
            names: names(&parsed),
        }
    }

    /// Why it is not trusted, in words.
    pub fn complaint(&self) -> String {
        match self.fault {
            None => "it is vouched for by an authority".to_owned(),
            Some(Fault::OtherName) if !self.names.is_empty() => {
                format!("{} ({})", Fault::OtherName, self.names.join(", "))
            }
            Some(Fault::Expired) => format!("{} on {}", Fault::Expired, self.not_after),
            Some(fault) => fault.to_string(),
        }
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
        return vec![];
    };
    let names = alternatives
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(printable(name).into_owned()),
            GeneralName::IPAddress(octets) => address(octets),
            _ => None,
        });
    names.take(MOST_NAMES).collect()
}

fn address(octets: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(octets).map(|octets| std::net::IpAddr::from(octets).to_string());
    let six = <[u8; 16]>::try_from(octets).map(|octets| std::net::IpAddr::from(octets).to_string());
    four.or(six).ok()
}

fn moment(unix: i64) -> String {
    jiff::Timestamp::from_second(unix)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
