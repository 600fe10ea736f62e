// SPDX-License-Identifier: GPL-3.0-or-later
//! Modified UTF-7 of mailbox names (RFC 3501, section 5.1.3).

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const ENGINE: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A name as it goes over the wire and onto the disk.
pub fn encode(name: &str) -> String {
    let mut out = String::new();
    let mut wide: Vec<u8> = Vec::new();
    let flush = |wide: &mut Vec<u8>, out: &mut String| {
        if !wide.is_empty() {
            out.push('&');
            out.push_str(&ENGINE.encode(&*wide));
            out.push('-');
            wide.clear();
        }
    };
    for character in name.chars() {
        if (' '..='~').contains(&character) {
            flush(&mut wide, &mut out);
            out.push(character);
            if character == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            wide.extend(
                character
                    .encode_utf16(&mut units)
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
    flush(&mut wide, &mut out);
    out
}

/// The name that people see; what is no modified UTF-7 stays as it is.
pub fn decode(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some((plain, after)) = rest.split_once('&') {
        out.push_str(plain);
        let Some((encoded, next)) = after.split_once('-') else {
            return raw.to_owned();
        };
        if encoded.is_empty() {
            out.push('&');
        } else {
            let Ok(bytes) = ENGINE.decode(encoded) else {
                return raw.to_owned();
            };
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]))
                .collect();
            out.push_str(&String::from_utf16_lossy(&units));
        }
        rest = next;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn names_survive_the_round_trip() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("Tom & Jerry", "Tom &- Jerry"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("台北", "&U,BTFw-"),
            ("Projekte 🚀", "Projekte &2D3egA-"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire), name);
        }
    }
}
