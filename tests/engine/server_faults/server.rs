// SPDX-License-Identifier: GPL-3.0-or-later
//! An IMAP server of one account on loopback: a thread that accepts, a thread per connection.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::server_faults::command::Word;
use crate::server_faults::fault::Faults;
use crate::server_faults::model::Model;
use crate::server_faults::session;

/// What all connections share.
pub(crate) struct Shared {
    pub model: Mutex<Model>,
    pub faults: Mutex<Faults>,
    pub credentials: (String, String),
    /// Whether passwords are taken only after STARTTLS.
    pub tls: bool,
    /// What a client did that a server of these capabilities does not allow.
    pub violations: Mutex<Vec<String>>,
    /// The commands, without literals.
    pub heard: Mutex<Vec<String>>,
    /// Octets sent on each connection.
    pub sent: Mutex<Vec<u64>>,
    /// Commands received on each connection.
    pub commands: Mutex<Vec<usize>>,
    /// How often each connection had answered everything and waited for its client: round trips.
    pub turns: Mutex<Vec<usize>>,
    pub open: AtomicUsize,
    /// Whether a connection is held.
    pub held: AtomicBool,
    /// APPENDs that arrive late, with the number of commands until then.
    pub late: Mutex<Vec<(usize, Vec<Word>)>>,
    stop: AtomicBool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running server.
pub(crate) struct Server {
    pub address: SocketAddr,
    pub shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server for one user.
    pub(crate) fn start(model: Model, user: &str, password: &str, tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            model: Mutex::new(model),
            faults: Mutex::default(),
            credentials: (user.to_owned(), password.to_owned()),
            tls,
            violations: Mutex::default(),
            heard: Mutex::default(),
            sent: Mutex::default(),
            commands: Mutex::default(),
            turns: Mutex::default(),
            open: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            late: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let accepting = std::thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.shared.model)
    }

    /// Makes the server behave from now on, or misbehave; connections are counted again.
    pub(crate) fn behave(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
        lock(&self.shared.sent).clear();
        lock(&self.shared.commands).clear();
        lock(&self.shared.turns).clear();
    }

    /// Whether a connection waits to be released.
    pub(crate) fn holds(&self) -> bool {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// Closes the connection that is held, and waits until none is open.
    pub(crate) fn release(&self) {
        lock(&self.shared.faults).rules.clear();
        self.shared.held.store(false, Ordering::SeqCst);
        while self.shared.open.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What is late arrives with the next command.
    pub(crate) fn hurry(&self) {
        for (commands, _) in lock(&self.shared.late).iter_mut() {
            *commands = 0;
        }
    }

    /// What was heard since the last time.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.heard))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.held.store(false, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections: Vec<(TcpStream, JoinHandle<()>)> = vec![];
    while let Ok((stream, _)) = listener.accept() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let number = {
            let mut sent = lock(&shared.sent);
            sent.push(0);
            lock(&shared.commands).push(0);
            lock(&shared.turns).push(0);
            sent.len() - 1
        };
        let _ = stream.set_nodelay(true);
        let Ok(handle) = stream.try_clone() else { continue };
        let shared = shared.clone();
        let thread = std::thread::spawn(move || session::serve(stream, number, &shared));
        connections.push((handle, thread));
    }
    for (stream, thread) in connections {
        let _ = stream.shutdown(std::net::Shutdown::Both);
        let _ = thread.join();
    }
}

/// TLS with a self-signed certificate, as the mail module of a node has it.
pub(super) static TLS: LazyLock<Arc<rustls::ServerConfig>> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a usable certificate");
    Arc::new(config)
});
