// SPDX-License-Identifier: GPL-3.0-or-later
//! The two accounts of a task: where they are, how to get in, what a refusal means.

use std::cell::{Cell, OnceCell};
use std::num::NonZeroU8;

use secrecy::SecretString;

use crate::error::ErrorKey;
use crate::imap::answer_time::AnswerTime;
use crate::imap::error::Accepted;
use crate::imap::throttle::Throttle;
use crate::imap::{
    self, Alerts, Certificate, ConnectionInfo, Credentials, Encryption, Endpoint, Protocols, Session, Spool,
    TlsShared, Trust, Workarounds,
};
use crate::source::Source;
use crate::sync::access::{Access, Offer};
use crate::sync::exit_code::Exit;
use crate::sync::instance;
use crate::sync::side::Side;
use crate::sync::state::LedgerError;
use crate::task::options::Options;
use crate::task::{self, LocalPin, LocalUser, Port, RemoteHost, RemoteUser, Security, Task};

/// A mailbox account on one side.
pub struct Account {
    /// Which side it is.
    pub side: Side,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// What to log in with.
    pub access: Access,
    /// How many connections there may be at once, where somebody has limited them.
    pub connections: Option<NonZeroU8>,
    /// The login name, for logs.
    pub user: String,
    /// The certificate met first, where any is accepted; later connections accept no other.
    learnt: OnceCell<Certificate>,
    /// What the server said when it refused the login: it is not asked again.
    refused: OnceCell<imap::Error>,
    /// Whether a login worked.
    logged_in: Cell<bool>,
    /// What the server turned out not to bear, on any connection of this account.
    pub workarounds: Workarounds,
    /// Where its large messages wait on their way.
    pub spool: Spool,
    /// What holds back what is read of it.
    pub throttle: Throttle,
    /// How long its server takes to answer, on any connection of this account.
    pub answer_time: AnswerTime,
}

/// What a server has said to the login of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginState {
    /// No one logged in, nor was refused.
    Unknown,
    /// A login worked.
    LoggedIn,
    /// User name or password were refused.
    Refused,
}

/// The remote server of a task, and how far it is trusted.
pub struct RemoteServer<'a> {
    /// Its name or address.
    pub host: &'a RemoteHost,
    /// Its port.
    pub port: Port,
    /// How the connection is to be protected.
    pub security: Security,
    /// Which certificates are accepted.
    pub trust: Trust,
}

impl<'a> RemoteServer<'a> {
    /// As the files of a task say.
    pub fn of(task: &'a Task, options: &Options) -> Self {
        Self {
            host: &task.remote_host,
            port: task.remote_port,
            security: task.security,
            trust: accepted(&options.trust),
        }
    }
}

/// Where the local mail server is, as the environment tells.
pub struct LocalServer {
    /// Its address.
    pub host: String,
    /// Its IMAP port.
    pub port: u16,
    /// The master user's password.
    pub password: SecretString,
    /// What it has shown before.
    pub pin: Option<LocalPin>,
}

impl LocalServer {
    /// How its pin is filed.
    pub fn address(host: &str, port: u16) -> String {
        format!("{host}:{port}")
    }
}

/// Why a run or a check ended early.
#[derive(Debug)]
pub struct Failure {
    /// How the run ends.
    pub exit: Exit,
    /// The key that the web page translates.
    pub key: Option<ErrorKey>,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    /// A failure of this machine: database, disk.
    pub fn local(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::CatchAll,
            key: None,
            message: message.into(),
        }
    }

    /// What a failed connection or command means on a side.
    pub fn from_imap(side: Side, error: &imap::Error) -> Self {
        let key = match side {
            Side::Remote => remote_key(error),
            Side::Local => local_key(error),
        };
        let exit = match (error, side) {
            (
                imap::Error::Tls(_)
                | imap::Error::CertificateRefused(..)
                | imap::Error::StartTlsNotOffered(_),
                _,
            ) => Exit::TlsFailure,
            (imap::Error::Credentials(_) | imap::Error::Token(_) | imap::Error::NoWayIn(_), Side::Remote) => {
                Exit::AuthenticationUser1
            }
            (imap::Error::Credentials(_) | imap::Error::Token(_) | imap::Error::NoWayIn(_), Side::Local) => {
                Exit::AuthenticationUser2
            }
            (imap::Error::NoCredentials { key, .. }, Side::Remote)
                if *key != ErrorKey::TokenServerUnreachable =>
            {
                Exit::AuthenticationUser1
            }
            (imap::Error::Spool(_), _) => Exit::CatchAll,
            // It can be reached; what it says is of no use.
            (imap::Error::Limit(_), _) => Exit::WithErrors,
            (_, Side::Remote) => Exit::ConnectionHost1,
            (_, Side::Local) => Exit::ConnectionHost2,
        };
        Self {
            exit,
            key: Some(key),
            message: format!("{} failure: {error}", side.host()),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self {
            key: error.is_damage().then_some(ErrorKey::LedgerDamaged),
            ..Self::local(format!(
                "the ledger of the local mailbox cannot be read or written, as on a full disk: {error}"
            ))
        }
    }
}

fn remote_key(error: &imap::Error) -> ErrorKey {
    match error {
        imap::Error::Credentials(_) => ErrorKey::BadUserCredentials,
        imap::Error::Token(_) => ErrorKey::TokenRefused,
        imap::Error::NoCredentials { key, .. } => *key,
        imap::Error::NoWayIn(_) => ErrorKey::LoginMethodNotOffered,
        imap::Error::Unreachable(_) => ErrorKey::CheckHostnameOrPort,
        imap::Error::Tls(_) => ErrorKey::SslEncryptionError,
        imap::Error::StartTlsNotOffered(_) => ErrorKey::StarttlsNotAllowed,
        imap::Error::CertificateRefused(refused) => match refused.accepted {
            Accepted::Nothing => ErrorKey::CertificateUnknown,
            Accepted::Authorities | Accepted::Fingerprint(_) => ErrorKey::CertificateChanged,
        },
        _ => ErrorKey::RemoteServerError,
    }
}

fn local_key(error: &imap::Error) -> ErrorKey {
    match error {
        imap::Error::Credentials(_) => ErrorKey::LocalUserUnknown,
        imap::Error::CertificateRefused(..) => ErrorKey::LocalCertificateChanged,
        _ => ErrorKey::LocalServerUnreachable,
    }
}

impl Account {
    /// A remote account.
    pub fn remote(server: &RemoteServer<'_>, user: &RemoteUser, access: Access) -> Self {
        let RemoteServer {
            host, port, security, ..
        } = server;
        let host = match host.address() {
            Some(address) => address.to_string(),
            None => host.dns_name().unwrap_or(host.as_str()).to_owned(),
        };
        Self {
            side: Side::Remote,
            endpoint: Endpoint {
                host,
                port: port.get(),
                encryption: encryption(*security),
                trust: server.trust.clone(),
                protocols: Protocols::Current,
                tls: TlsShared::default(),
                proxy: instance::setting("IMAP_PROXY").map(SecretString::from),
                alerts: Alerts::default(),
            },
            user: user.to_string(),
            learnt: OnceCell::new(),
            refused: OnceCell::new(),
            logged_in: Cell::new(false),
            workarounds: Workarounds::default(),
            spool: Spool::default(),
            throttle: Throttle::default(),
            answer_time: AnswerTime::default(),
            access,
            connections: None,
        }
    }

    /// Connects as the source says: through its proxy, with its encryption, over no more connections than it allows.
    pub fn reach_as(&mut self, source: &Source) {
        self.connections = source.connections;
        self.endpoint.proxy = source.route.proxy(self.endpoint.proxy.take());
        self.endpoint.protocols = source.protocols;
    }

    /// A local account, entered as the master user.
    pub fn local(user: &LocalUser, server: LocalServer) -> Self {
        let user = format!("{user}*vmail");
        Self {
            side: Side::Local,
            endpoint: Endpoint {
                host: server.host,
                port: server.port,
                encryption: Encryption::StartTls,
                trust: server.pin.map_or(Trust::Learn, |pin| Trust::Renewable {
                    pin: pin.certificate,
                    names: pin.names,
                }),
                protocols: Protocols::Current,
                tls: TlsShared::default(),
                proxy: None,
                alerts: Alerts::default(),
            },
            access: Access::Fixed(Credentials::Password {
                user: user.clone(),
                password: server.password,
            }),
            connections: None,
            user,
            learnt: OnceCell::new(),
            refused: OnceCell::new(),
            logged_in: Cell::new(false),
            workarounds: Workarounds::default(),
            spool: Spool::default(),
            throttle: Throttle::default(),
            answer_time: AnswerTime::default(),
        }
    }

    /// What to warn the administrator of about the connection, for as long as that applies.
    pub fn caution(&self) -> Option<&'static str> {
        match self.endpoint.protocols {
            Protocols::Current => None,
            Protocols::Old => {
                Some("old encryption is allowed for this server, so others may be able to read along")
            }
        }
    }

    /// What the server has said to the logins so far. A refused token is renewed, and does not count.
    pub fn login_state(&self) -> LoginState {
        match (self.logged_in.get(), self.refused.get()) {
            (true, _) => LoginState::LoggedIn,
            (false, Some(imap::Error::Credentials(_) | imap::Error::NoWayIn(_))) => LoginState::Refused,
            (false, _) => LoginState::Unknown,
        }
    }

    /// What to remember of the local server from now on, where it has shown something new.
    pub fn local_pin(&self) -> Option<LocalPin> {
        self.first_met().map(|certificate| LocalPin {
            server: LocalServer::address(&self.endpoint.host, self.endpoint.port),
            certificate: certificate.sha256.clone(),
            names: certificate.names.clone(),
        })
    }

    /// The certificate that was accepted because it was the first one met.
    pub fn first_met(&self) -> Option<&Certificate> {
        self.learnt.get()
    }

    /// Connects and logs in.
    pub async fn login(&self) -> Result<Session, imap::Error> {
        self.login_telling(&mut ConnectionInfo::default()).await
    }

    /// Connects and logs in, and tells what was learnt on the way.
    pub async fn login_telling(&self, info: &mut ConnectionInfo) -> Result<Session, imap::Error> {
        if let Some(refused) = self.refused.get() {
            return Err(refused.repeated());
        }
        let mut endpoint = self.endpoint.clone();
        if let (Trust::Learn, Some(certificate)) = (&endpoint.trust, self.learnt.get()) {
            endpoint.trust = match self.side {
                Side::Remote => accepted(&learnt(certificate)),
                Side::Local => Trust::Pinned(certificate.sha256.clone()),
            };
        }
        let session = self.enter(&endpoint, info).await;
        if let Err(error) = &session
            && error.is_about_credentials()
            && !self.logged_in.get()
        {
            // The first one has told it; each further try brings the account closer to being locked. Once a login has worked
            // it may have been one too many at once, which some servers say like this.
            let _ = self.refused.set(error.repeated());
        }
        let mut session = session?;
        session.equip(self.workarounds.clone(), self.spool.clone());
        session.set_throttle(self.throttle.clone());
        session.set_answer_time(self.answer_time.clone());
        self.logged_in.set(true);
        let shown = info.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        let news = match (&endpoint.trust, shown) {
            (Trust::Learn, shown) => shown,
            (Trust::Renewable { pin, .. }, shown) => shown.filter(|shown| shown.sha256 != *pin),
            _ => None,
        };
        if let Some(certificate) = news {
            // The first one stays first.
            let _ = self.learnt.set(certificate.clone());
        }
        Ok(session)
    }

    async fn enter(&self, endpoint: &Endpoint, info: &mut ConnectionInfo) -> Result<Session, imap::Error> {
        let offer = self.offer(endpoint, None).await?;
        match (imap::login(endpoint, &offer.credentials, info).await, offer.aged) {
            // Tokens end, and may be taken back before: that is no failure as long as there is another one.
            (Err(imap::Error::Token(_)), Some(aged)) => {
                let offer = self.offer(endpoint, Some(&aged)).await?;
                imap::login(endpoint, &offer.credentials, info).await
            }
            (outcome, _) => outcome,
        }
    }

    /// What to log in with now, hidden in log, report and trace before the server can repeat it.
    pub(super) async fn offer(
        &self,
        endpoint: &Endpoint,
        refused: Option<&SecretString>,
    ) -> Result<Offer, imap::Error> {
        let offer = self.access.offer(refused).await?;
        self.access.hide(&endpoint.mask(&offer.credentials));
        Ok(offer)
    }
}

/// What follows for later connections from a certificate that was accepted.
pub fn learnt(certificate: &Certificate) -> task::Trust {
    task::Trust::from_certificate(certificate.trusted, &certificate.sha256)
}

/// The certificates that a task accepts; one that knows nothing yet learns.
pub fn accepted(known: &task::Trust) -> Trust {
    match known {
        task::Trust::Unknown => Trust::Learn,
        task::Trust::Authorities => Trust::Authorities,
        task::Trust::Pinned(fingerprint) => Trust::Pinned(fingerprint.clone()),
    }
}

/// The protection that a task asks for.
pub fn encryption(security: Security) -> Encryption {
    match security {
        Security::Opportunistic => Encryption::Opportunistic,
        Security::StartTls => Encryption::StartTls,
        Security::Tls => Encryption::Tls,
    }
}
