// SPDX-License-Identifier: GPL-3.0-or-later
//! How the IMAP server of a source is reached: as all servers of the instance are, or in its own way.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;

use crate::imap::proxy::Proxy;
use crate::secret::Zeroizing;
use crate::task::{Invalid, SecretString};

/// What the field `proxy` says of a server that is reached directly, whatever holds for the instance.
const DIRECT: &str = "direct";

/// How the IMAP server of a source is reached.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// As all servers of the instance are.
    #[default]
    OfInstance,
    /// Directly.
    Direct,
    /// Through a proxy.
    Proxy {
        /// `socks5://host:port` or `http://host:port`.
        address: String,
        /// Who logs in at the proxy, with what.
        login: Option<(String, SecretString)>,
    },
}

impl Route {
    /// Reads the field `proxy`; a login at the proxy comes in separate fields, as it holds a password.
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "" => Ok(Self::OfInstance),
            DIRECT => Ok(Self::Direct),
            text if text.contains('@') => Err(Invalid(
                "the login at the proxy goes into proxy_user and proxy_password".to_owned(),
            )),
            text => match Proxy::parse(text) {
                Ok(_) => Ok(Self::Proxy {
                    address: text.to_owned(),
                    login: None,
                }),
                Err(_) => Err(Invalid(
                    "expected socks5://host:port, http://host:port or direct".to_owned(),
                )),
            },
        }
    }

    /// The field `proxy`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::OfInstance => "",
            Self::Direct => DIRECT,
            Self::Proxy { address, .. } => address,
        }
    }

    /// Who logs in at the proxy; empty where no one does.
    pub fn user(&self) -> &str {
        self.login().map_or("", |(user, _)| user)
    }

    /// With what.
    pub(super) fn password(&self) -> Option<&SecretString> {
        self.login().map(|(_, password)| password)
    }

    fn login(&self) -> Option<&(String, SecretString)> {
        match self {
            Self::Proxy { login, .. } => login.as_ref(),
            Self::OfInstance | Self::Direct => None,
        }
    }

    /// The proxy to go through, with its login in its address; `of_instance` is that of the instance.
    pub fn proxy(&self, of_instance: Option<SecretString>) -> Option<SecretString> {
        match self {
            Self::OfInstance => of_instance,
            Self::Direct => None,
            Self::Proxy { address, login: None } => Some(SecretString::from(address.as_str())),
            Self::Proxy {
                address,
                login: Some((user, password)),
            } => {
                let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let password = Zeroizing::new(escaped(password.expose_secret()));
                let (scheme, host) = address.split_once("://")?;
                let whole = format!("{scheme}://{}:{}@{host}", escaped(user), *password);
                Some(SecretString::from(whole))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_field_says_is_where_connections_go() {
        let of_instance = || Some(SecretString::from("http://instance:1"));
        let through = |route: &Route| {
            route
                .proxy(of_instance())
                .map(|proxy| proxy.expose_secret().to_owned())
        };
        for (text, proxy) in [
            ("", Some("http://instance:1")),
            ("direct", None),
            ("socks5://h:1", Some("socks5://h:1")),
        ] {
            let route = Route::parse(text).unwrap();
            assert_eq!((route.as_str(), through(&route).as_deref()), (text, proxy));
        }
        for text in ["h:1", "ftp://h:1", "http://u:p@h:1", "http://h"] {
            assert!(Route::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_login_is_whatever_it_is() {
        let route = Route::Proxy {
            address: "http://[::1]:3128".to_owned(),
            login: Some(("u@x".to_owned(), SecretString::from("p:w/@ü"))),
        };
        let whole = route.proxy(None).unwrap();
        assert_eq!(whole.expose_secret(), "http://u%40x:p%3Aw%2F%40%C3%BC@[::1]:3128");
        assert!(Proxy::parse(whole.expose_secret()).is_ok());
        assert!(!format!("{route:?}").contains("p:w"));
    }
}
