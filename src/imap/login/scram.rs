// SPDX-License-Identifier: GPL-3.0-or-later
//! SCRAM (RFC 5802, RFC 7677): the server proves that it knows the password, too, and never learns it.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom as _;
use ring::{digest, hmac, pbkdf2, rand};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::credentials::{escaped, joined};
use super::sasl::{Mechanism, Message};
use crate::imap::error::{Error, Result};

/// A server that asks for more keeps this machine busy for seconds; RFC 7677 asks for 4096.
const MOST_ITERATIONS: u32 = 1_000_000;

/// A hash function for SCRAM.
pub(super) struct Hash {
    /// The mechanism's name.
    pub name: &'static str,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

/// The best first.
pub(super) static HASHES: [Hash; 3] = [
    Hash {
        name: "SCRAM-SHA-512",
        digest: &digest::SHA512,
        hmac: hmac::HMAC_SHA512,
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
    },
    Hash {
        name: "SCRAM-SHA-256",
        digest: &digest::SHA256,
        hmac: hmac::HMAC_SHA256,
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
    },
    Hash {
        name: "SCRAM-SHA-1",
        digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
        hmac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        pbkdf2: pbkdf2::PBKDF2_HMAC_SHA1,
    },
];

/// The client's side of one dialogue, without channel binding.
pub(super) struct Scram<'a> {
    hash: &'static Hash,
    user: &'a str,
    password: &'a SecretString,
    nonce: String,
    /// What the server has to show at the end.
    signature: Option<Vec<u8>>,
    proven: bool,
}

impl<'a> Scram<'a> {
    /// A dialogue with a fresh nonce.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub(super) fn new(hash: &'static Hash, user: &'a str, password: &'a SecretString) -> Result<Self> {
        let mut octets = [0; 18];
        let random = rand::SystemRandom::new().fill(&mut octets);
        random.map_err(|_| Error::protocol("the system gives no random numbers"))?;
        Ok(Self::with_nonce(hash, user, password, STANDARD.encode(octets)))
    }

    fn with_nonce(hash: &'static Hash, user: &'a str, password: &'a SecretString, nonce: String) -> Self {
        Self {
            hash,
            user,
            password,
            nonce,
            signature: None,
            proven: false,
        }
    }

    /// The client's first message without the GS2 header.
    fn bare(&self) -> String {
        format!("n={},r={}", escaped(self.user), self.nonce)
    }

    /// The client's final message (RFC 5802, 3).
    fn prove(&mut self, first: &str) -> Option<Message> {
        let mut fields = first.split(',');
        let nonce = fields.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(fields.next()?.strip_prefix("s=")?).ok()?;
        let iterations: NonZeroU32 = fields.next()?.strip_prefix("i=")?.parse().ok()?;
        if !nonce.starts_with(&self.nonce)
            || nonce.len() == self.nonce.len()
            || iterations.get() > MOST_ITERATIONS
        {
            return None;
        }
        let length = self.hash.digest.output_len();
        let mut salted = Zeroizing::new(vec![0; length]);
        let password = self.password.expose_secret().as_bytes();
        pbkdf2::derive(self.hash.pbkdf2, iterations, &salt, password, &mut salted);
        let salted = hmac::Key::new(self.hash.hmac, &salted);
        let client = Zeroizing::new(hmac::sign(&salted, b"Client Key").as_ref().to_vec());
        let stored = digest::digest(self.hash.digest, &client);
        // c= is the GS2 header: no channel binding.
        let without_proof = format!("c={},r={nonce}", STANDARD.encode("n,,"));
        let all = format!("{},{first},{without_proof}", self.bare());
        let signature = hmac::sign(&hmac::Key::new(self.hash.hmac, stored.as_ref()), all.as_bytes());
        let proof: Vec<u8> = client
            .iter()
            .zip(signature.as_ref())
            .map(|(a, b)| a ^ b)
            .collect();
        let server = hmac::sign(&salted, b"Server Key");
        let server = hmac::sign(&hmac::Key::new(self.hash.hmac, server.as_ref()), all.as_bytes());
        self.signature = Some(server.as_ref().to_vec());
        let proof = STANDARD.encode(proof);
        Some(joined(&[without_proof.as_bytes(), b",p=", proof.as_bytes()]))
    }
}

impl Mechanism for Scram<'_> {
    fn name(&self) -> &'static str {
        self.hash.name
    }

    fn initial(&mut self) -> Option<Message> {
        Some(Message::new(format!("n,,{}", self.bare()).into_bytes()))
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Message> {
        let challenge = String::from_utf8_lossy(challenge);
        let Some(expected) = &self.signature else {
            let unsound = Error::protocol(format!("its {} challenge is invalid", self.hash.name));
            return self.prove(&challenge).ok_or(unsound);
        };
        // e= tells an error; its outcome follows.
        if let Some(shown) = challenge.strip_prefix("v=") {
            let shown = shown.split(',').next().unwrap_or_default();
            if STANDARD.decode(shown).ok().as_ref() != Some(expected) {
                return Err(impostor());
            }
            self.proven = true;
        }
        Ok(Message::default())
    }

    fn succeed(&self) -> Result<()> {
        if self.proven { Ok(()) } else { Err(impostor()) }
    }
}

fn impostor() -> Error {
    Error::Tls(
        "the server could not prove that it knows the password: it may not be the server it claims to be"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue(hash: usize, nonce: &str, first: &str) -> (String, Vec<u8>) {
        let password = SecretString::from("pencil");
        let mut scram = Scram::with_nonce(&HASHES[hash], "user", &password, nonce.to_owned());
        let said = scram.respond(first.as_bytes()).unwrap();
        (
            String::from_utf8(said.to_vec()).unwrap(),
            scram.signature.clone().unwrap(),
        )
    }

    #[test]
    fn the_examples_of_the_rfcs() {
        // RFC 7677, section 3.
        let (said, signature) = dialogue(
            1,
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        );
        assert!(
            said.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
            "{said}"
        );
        assert_eq!(
            STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        // RFC 5802, section 5.
        let (said, signature) = dialogue(
            2,
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        );
        assert!(said.ends_with(",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), "{said}");
        assert_eq!(STANDARD.encode(signature), "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    }

    #[test]
    fn a_server_that_plays_tricks_gets_no_proof() {
        let password = SecretString::from("pencil");
        for first in [
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
            "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            "",
        ] {
            let mut scram = Scram::with_nonce(&HASHES[1], "user", &password, "abc".to_owned());
            assert!(scram.respond(first.as_bytes()).is_err(), "{first}");
            assert!(scram.succeed().is_err());
        }
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let password = SecretString::from("pencil");
        let mut scram = Scram::with_nonce(&HASHES[1], "user", &password, "abc".to_owned());
        scram
            .respond(b"r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
            .unwrap();
        assert!(scram.respond(b"v=AAAA").is_err());
        assert!(scram.succeed().is_err());
    }
}
