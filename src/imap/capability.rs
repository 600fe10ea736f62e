// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server says it can do.

/// Capabilities beyond this many are ignored; the longest known lists have some sixty.
const MOST: usize = 300;

macro_rules! capabilities {
    ($($(#[doc = $meaning:literal])+ $name:ident = $text:literal,)*) => {
        /// What this program makes use of where a server has it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Capability {
            $($(#[doc = $meaning])+ $name,)*
        }

        impl Capability {
            /// Its name on the wire.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

capabilities! {
    /// Modification sequences (RFC 7162).
    Condstore = "CONDSTORE",
    /// What a client wants to be told is switched on (RFC 5161).
    Enable = "ENABLE",
    /// Searches answer with ranges (RFC 4731).
    Esearch = "ESEARCH",
    /// Sieve filters run on a message (Pigeonhole).
    FilterSieve = "FILTER=SIEVE",
    /// Gmail's labels and identities.
    Gmail = "X-GM-EXT-1",
    /// Both sides tell their names (RFC 2971).
    Id = "ID",
    /// News of the open mailbox come by themselves (RFC 2177).
    Idle = "IDLE",
    /// IMAP4rev2 (RFC 9051).
    Imap4Rev2 = "IMAP4REV2",
    /// LIST with options (RFC 5258).
    ListExtended = "LIST-EXTENDED",
    /// LIST with the state of each mailbox (RFC 5819).
    ListStatus = "LIST-STATUS",
    /// Short literals without waiting (RFC 7888).
    LiteralMinus = "LITERAL-",
    /// Any literal without waiting (RFC 7888).
    LiteralPlus = "LITERAL+",
    /// LOGIN is refused, as before TLS (RFC 3501, 6.2.3).
    LoginDisabled = "LOGINDISABLED",
    /// Several messages in one APPEND (RFC 3502).
    MultiAppend = "MULTIAPPEND",
    /// Whose folders are where (RFC 2342).
    Namespace = "NAMESPACE",
    /// News of other mailboxes come by themselves (RFC 5465).
    Notify = "NOTIFY",
    /// Identities of messages (RFC 8474).
    ObjectId = "OBJECTID",
    /// How much room there is (RFC 9208).
    Quota = "QUOTA",
    /// Modification sequences, and more (RFC 7162).
    Qresync = "QRESYNC",
    /// The first response of SASL goes with the command (RFC 4959).
    SaslIr = "SASL-IR",
    /// What mailboxes are for (RFC 6154).
    SpecialUse = "SPECIAL-USE",
    /// TLS on a connection that began without (RFC 3501, 6.2.1).
    StartTls = "STARTTLS",
    /// STATUS tells sizes (RFC 8438).
    StatusSize = "STATUS=SIZE",
    /// UIDs of appended messages, EXPUNGE of some (RFC 4315).
    UidPlus = "UIDPLUS",
}

/// The capabilities of a server, upper-cased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// Reads the words of a CAPABILITY response.
    pub fn parse(text: &str) -> Self {
        Self(
            text.split_ascii_whitespace()
                .take(MOST)
                .map(str::to_ascii_uppercase)
                .collect(),
        )
    }

    /// Whether a capability is offered.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.iter().any(|name| name == capability.name())
    }

    /// The largest message that is taken, in octets, where that is told (RFC 7889).
    pub fn append_limit(&self) -> Option<u64> {
        self.0
            .iter()
            .find_map(|name| name.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }

    /// Whether a SASL mechanism is offered; `name` in upper case.
    pub fn has_sasl(&self, name: &str) -> bool {
        self.sasl().contains(&name)
    }

    /// The SASL mechanisms that are offered.
    pub fn sasl(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|name| name.strip_prefix("AUTH="))
            .collect()
    }

    /// Whether nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in the server's order.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// How literals may be sent without waiting (RFC 7888).
    pub fn literals(&self) -> Literals {
        if self.has(Capability::LiteralPlus) {
            Literals::Plus
        } else if self.has(Capability::LiteralMinus) || self.has(Capability::Imap4Rev2) {
            Literals::Minus
        } else {
            Literals::Synchronizing
        }
    }
}

/// How a server takes literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literals {
    /// Any literal without waiting.
    Plus,
    /// Up to 4096 octets without waiting.
    Minus,
    /// Only after the server said `+`.
    Synchronizing,
}

impl Literals {
    /// Whether a literal of this size needs no waiting.
    pub fn immediate(self, size: u64) -> bool {
        match self {
            Self::Plus => true,
            Self::Minus => size <= 4096,
            Self::Synchronizing => false,
        }
    }
}
