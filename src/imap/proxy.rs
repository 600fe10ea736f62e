// SPDX-License-Identifier: GPL-3.0-or-later
//! A proxy on the way to a server: SOCKS5 (RFC 1928, RFC 1929), or HTTP with CONNECT (RFC 9110, 9.3.6).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use crate::text::io_reason;

/// More than the head of any answer to CONNECT.
const LONGEST_ANSWER: usize = 16 * 1024;

/// A proxy.
pub struct Proxy {
    kind: Kind,
    /// Where it is.
    pub host: String,
    /// Its port.
    pub port: u16,
    login: Option<(String, SecretString)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
}

impl Proxy {
    /// Reads `socks5://[user:password@]host:port` or `http://…`.
    ///
    /// # Errors
    /// What is expected; never the text itself, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str =
            "expected socks5://host:port or http://host:port, with user:password@ before the host if needed";
        let (scheme, rest) = text.trim().trim_end_matches('/').split_once("://").ok_or(FORM)?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks5" | "socks5h" => Kind::Socks5,
            "http" => Kind::Http,
            _ => return Err(FORM),
        };
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login.split_once(':').ok_or(FORM)?), address),
            None => (None, rest),
        };
        let (host, port) = address.rsplit_once(':').ok_or(FORM)?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(FORM);
        }
        Ok(Self {
            kind,
            host: host.to_owned(),
            port: port.parse().map_err(|_| FORM)?,
            login: login.map(|(user, password)| (decoded(user), SecretString::from(decoded(password)))),
        })
    }

    /// Asks the proxy, over a connection to it, for one to a server.
    ///
    /// # Errors
    /// The proxy's refusal, in words.
    pub async fn reach(&self, stream: TcpStream, host: &str, port: u16) -> Result<TcpStream, String> {
        match self.kind {
            Kind::Socks5 => self.socks5(stream, host, port).await,
            Kind::Http => self.http(stream, host, port).await,
        }
    }

    async fn socks5(&self, stream: TcpStream, host: &str, port: u16) -> Result<TcpStream, String> {
        // The name is looked up by the proxy: it may know names that are unknown here.
        let reached = match &self.login {
            Some((user, password)) => {
                let password = password.expose_secret();
                Socks5Stream::connect_with_password_and_socket(stream, (host, port), user, password).await
            }
            None => Socks5Stream::connect_with_socket(stream, (host, port)).await,
        };
        reached
            .map(Socks5Stream::into_inner)
            .map_err(|error| error.to_string())
    }

    async fn http(&self, mut stream: TcpStream, host: &str, port: u16) -> Result<TcpStream, String> {
        let broken = |error: std::io::Error| io_reason(&error);
        let target = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut request = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some((user, password)) = &self.login {
            let login = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
            let login = Zeroizing::new(STANDARD.encode(login.as_bytes()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&login);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        // Octet by octet: what follows the answer is the server's.
        let mut answer = vec![];
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() > LONGEST_ANSWER {
                return Err("its answer is too long".to_owned());
            }
            answer.push(stream.read_u8().await.map_err(broken)?);
        }
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next().unwrap_or_default();
        let accepted =
            status.starts_with("HTTP/") && status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
        match accepted {
            true => Ok(stream),
            false => Err(format!("it answers {}", crate::text::printable(status))),
        }
    }
}

/// Without the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_of_proxies_are_read_and_nonsense_is_not_repeated() {
        let proxy = Proxy::parse("socks5://us%40er:p%3Aw@[2001:db8::1]:1080/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("2001:db8::1", 1080));
        let (user, password) = proxy.login.unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("us@er", "p:w"));
        for text in [
            "",
            "proxy:3128",
            "https://h:1",
            "http://:1",
            "http://h",
            "http://u@h:1",
            "socks5://h:x",
        ] {
            assert!(Proxy::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Proxy::parse("http://u:s3cret@h:3128").unwrap().to_string(),
            "h port 3128"
        );
    }

    /// A proxy that expects these octets and answers these, step by step.
    fn ask(address: &str, steps: &[(&[u8], &[u8])]) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server_address = listener.local_addr().unwrap();
            let proxy = Proxy::parse(address).unwrap();
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                for (expected, answer) in steps {
                    let mut got = vec![0; expected.len()];
                    stream.read_exact(&mut got).await.unwrap();
                    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected));
                    stream.write_all(answer).await.unwrap();
                }
                stream.write_all(b"* OK").await.unwrap();
            };
            let client = async {
                let stream = TcpStream::connect(server_address).await.unwrap();
                let mut stream = proxy.reach(stream, "imap.x.example", 993).await?;
                let mut greeting = vec![0; 4];
                stream.read_exact(&mut greeting).await.unwrap();
                Ok(greeting)
            };
            tokio::join!(server, client).1
        })
    }

    #[test]
    fn http_proxies_are_asked_to_connect() {
        let request: Vec<u8> = [
            "CONNECT imap.x.example:993 HTTP/1.1\r\n",
            "Host: imap.x.example:993\r\n",
            "Proxy-Authorization: Basic dTpz\r\n",
            "\r\n",
        ]
        .concat()
        .into_bytes();
        let steps: [(&[u8], &[u8]); 1] =
            [(&request, b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")];
        assert_eq!(ask("http://u:s@h:1", &steps).unwrap(), b"* OK");
        let steps: [(&[u8], &[u8]); 1] = [(&request, b"HTTP/1.1 403 Forbidden\r\n\r\n")];
        let refused = ask("http://u:s@h:1", &steps).unwrap_err();
        assert!(refused.contains("403 Forbidden"), "{refused}");
    }

    #[test]
    fn socks_proxies_get_the_name() {
        let mut request = b"\x05\x01\x00\x03\x0eimap.x.example".to_vec();
        request.extend(993_u16.to_be_bytes());
        let steps: [(&[u8], &[u8]); 2] = [
            (b"\x05\x01\x00", b"\x05\x00"),
            (&request, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
        ];
        assert_eq!(ask("socks5://h:1", &steps).unwrap(), b"* OK");
    }
}
