// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;

use super::text::{Invalid, free_of_control_characters, invalid};

/// A TCP port, 1 to 65535.
pub type Port = NonZeroU16;

/// The remote server: a DNS name (an international one too) or an IP address.
///
/// It keeps the text as it was given, because that is what the files hold; [`RemoteHost::address`] and
/// [`RemoteHost::dns_name`] give what a connection needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteHost {
    text: String,
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Target {
    Address(IpAddr),
    Name(String),
}

impl RemoteHost {
    /// Reads a host: `imap.foo.com`, `bücher.example`, `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        free_of_control_characters(text)?;
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let target = if let Some(address) = bare {
            let address: Ipv6Addr = address
                .parse()
                .map_err(|_| Invalid("expected an IPv6 address between the brackets".into()))?;
            Target::Address(address.into())
        } else if let Ok(address) = text.parse::<IpAddr>() {
            Target::Address(address)
        } else {
            Target::Name(ascii_name(text)?)
        };
        Ok(Self {
            text: text.to_owned(),
            target,
        })
    }

    /// The host as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address, when the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.target {
            Target::Address(address) => Some(address),
            Target::Name(_) => None,
        }
    }

    /// The ASCII form of the name, when the host is one.
    pub fn dns_name(&self) -> Option<&str> {
        match &self.target {
            Target::Address(_) => None,
            Target::Name(name) => Some(name),
        }
    }

    /// Whether a connection to the other one goes to the same place: case, a final dot and the spelling of an
    /// international name or of an address make no other server.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (Target::Address(one), Target::Address(other)) => one == other,
            (Target::Name(one), Target::Name(other)) => {
                without_root(one).eq_ignore_ascii_case(without_root(other))
            }
            (Target::Address(_), Target::Name(_)) | (Target::Name(_), Target::Address(_)) => false,
        }
    }

    /// Whether this is Gmail, which needs its own treatment (contract section 5).
    pub fn is_gmail(&self) -> bool {
        self.dns_name()
            .is_some_and(|name| name.trim_end_matches('.').eq_ignore_ascii_case("imap.gmail.com"))
    }
}

/// A name without the dot that ends a complete one.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The letters-digits-hyphens form of a name; underscores occur in real internal names and are let through.
fn ascii_name(text: &str) -> Result<String, Invalid> {
    let ascii =
        idna::domain_to_ascii(text).map_err(|_| Invalid("expected a host name or an IP address".into()))?;
    let name = without_root(&ascii);
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A last label of digits only is a mistyped address, never a name (RFC 1123 section 2.1).
    let digits_last = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > 253 || digits_last || !name.split('.').all(label_ok) {
        return invalid("expected a host name or an IP address");
    }
    Ok(ascii)
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The login name on the remote server: any text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteUser(String);

impl RemoteUser {
    /// The longest login name, in bytes.
    pub const LONGEST: usize = 512;

    /// Reads a login name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        free_of_control_characters(text)?;
        match text.len() {
            0 => invalid("it is empty"),
            length if length > Self::LONGEST => invalid(format!("it is longer than {} bytes", Self::LONGEST)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the connection to the remote server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// Nothing asked for: upgraded when the server offers STARTTLS, and port 993 is TLS all the same.
    Opportunistic,
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte (IMAPS).
    Tls,
}

impl Security {
    /// Reads the field `security`: `""`, `tls` or `ssl`.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "" => Ok(Self::Opportunistic),
            "tls" => Ok(Self::StartTls),
            "ssl" => Ok(Self::Tls),
            _ => invalid("expected one of tls (STARTTLS), ssl (IMAPS) or empty"),
        }
    }

    /// The field `security`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opportunistic => "",
            Self::StartTls => "tls",
            Self::Tls => "ssl",
        }
    }

    /// Whether a password would travel less protected than with the other.
    pub fn is_weaker_than(self, other: Self) -> bool {
        self == Self::Opportunistic && other != Self::Opportunistic
    }

    /// Reads `SECURITY` of a task file: an option of imapsync.
    ///
    /// # Errors
    /// For any other text.
    pub fn from_option(text: &str) -> Result<Self, Invalid> {
        match text {
            "" => Ok(Self::Opportunistic),
            "--tls1" => Ok(Self::StartTls),
            "--ssl1" => Ok(Self::Tls),
            _ => invalid("expected one of --tls1, --ssl1 or empty"),
        }
    }

    /// `SECURITY` of a task file.
    pub fn as_option(self) -> &'static str {
        match self {
            Self::Opportunistic => "",
            Self::StartTls => "--tls1",
            Self::Tls => "--ssl1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        let idn = RemoteHost::parse("bücher.example").unwrap();
        assert_eq!(
            (idn.as_str(), idn.dns_name()),
            ("bücher.example", Some("xn--bcher-kva.example"))
        );
        assert_eq!(
            RemoteHost::parse("127.0.0.3").unwrap().address(),
            Some([127, 0, 0, 3].into())
        );
        let bracketed = RemoteHost::parse("[2001:db8::1]").unwrap();
        assert_eq!(
            bracketed.address(),
            RemoteHost::parse("2001:db8::1").unwrap().address()
        );
        assert!(RemoteHost::parse("localhost").unwrap().dns_name().is_some());
    }

    #[test]
    fn what_can_never_be_reached_is_refused() {
        for host in [
            "",
            "a b",
            "-x.y",
            "x..y",
            "a/b",
            "imap.foo.com:143",
            "1.2.3.4.5",
            "256.1.1.1",
            "a\nb",
            "[::1",
            "$(x)",
        ] {
            assert!(RemoteHost::parse(host).is_err(), "{host:?} was accepted");
        }
        assert!(RemoteHost::parse(&format!("{}.com", "a".repeat(64))).is_err());
    }

    #[test]
    fn another_spelling_is_no_other_server() {
        let host = |text: &str| RemoteHost::parse(text).unwrap();
        for (one, other) in [
            ("imap.foo.com", "IMAP.Foo.com"),
            ("imap.foo.com", "imap.foo.com."),
            ("bücher.example", "XN--BCHER-KVA.example."),
            ("2001:db8::1", "[2001:DB8:0::1]"),
        ] {
            assert!(host(one).is_same(&host(other)), "{one} {other}");
        }
        for (one, other) in [
            ("imap.foo.com", "imap.foo.org"),
            ("127.0.0.1", "127.0.0.2"),
            ("127.0.0.1", "localhost"),
        ] {
            assert!(!host(one).is_same(&host(other)), "{one} {other}");
        }
    }

    #[test]
    fn gmail_is_recognised() {
        assert!(RemoteHost::parse("IMAP.gmail.com").unwrap().is_gmail());
        assert!(
            !RemoteHost::parse("imap.gmail.com.evil.example")
                .unwrap()
                .is_gmail()
        );
    }

    #[test]
    fn both_spellings_of_security_are_read_back() {
        for security in [Security::Opportunistic, Security::StartTls, Security::Tls] {
            assert_eq!(Security::parse(security.as_str()), Ok(security));
            assert_eq!(Security::from_option(security.as_option()), Ok(security));
        }
        assert!(Security::parse("starttls").is_err());
    }
}
