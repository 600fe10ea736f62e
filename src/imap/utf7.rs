// SPDX-License-Identifier: GPL-3.0-or-later
//! Modified UTF-7 of mailbox names (RFC 3501, 5.1.3).

use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

fn engine() -> Option<GeneralPurpose> {
    let alphabet = Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").ok()?;
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    Some(GeneralPurpose::new(&alphabet, config))
}

/// Encodes a name for the wire.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut pending: Vec<u16> = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut pending, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            pending.extend_from_slice(c.encode_utf16(&mut units));
        }
    }
    flush(&mut pending, &mut out);
    out
}

fn flush(pending: &mut Vec<u16>, out: &mut String) {
    if pending.is_empty() {
        return;
    }
    let bytes: Vec<u8> = pending.drain(..).flat_map(u16::to_be_bytes).collect();
    if let Some(engine) = engine() {
        out.push('&');
        out.push_str(&engine.encode(bytes));
        out.push('-');
    }
}

/// Decodes a name from the wire; `None` when it is no modified UTF-7, as servers that send raw UTF-8 do.
pub fn decode(raw: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'&' => {
                let end = rest.iter().position(|&b| b == b'-')?;
                let (coded, tail) = rest.split_at(end);
                rest = tail.get(1..)?;
                if coded.is_empty() {
                    out.push('&');
                    continue;
                }
                let bytes = engine()?.decode(coded).ok()?;
                if bytes.len() % 2 != 0 {
                    return None;
                }
                let units = bytes
                    .chunks_exact(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                for c in char::decode_utf16(units) {
                    out.push(c.ok()?);
                }
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_rfc_and_of_real_servers() {
        assert_eq!(
            encode("~peter/mail/台北/日本語"),
            "~peter/mail/&U,BTFw-/&ZeVnLIqe-"
        );
        assert_eq!(encode("Entwürfe & Co"), "Entw&APw-rfe &- Co");
        assert_eq!(decode(b"Envoy&AOk-s").as_deref(), Some("Envoyés"));
        assert_eq!(
            decode("Entwürfe".as_bytes()),
            None,
            "raw UTF-8 is not modified UTF-7"
        );
        assert_eq!(decode(b"broken &A"), None);
    }

    proptest! {
        #[test]
        fn encoding_loses_nothing(name in "\\PC*") {
            let coded = encode(&name);
            prop_assert!(coded.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(decode(coded.as_bytes()), Some(name));
        }

        #[test]
        fn decoding_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&raw);
        }
    }
}
