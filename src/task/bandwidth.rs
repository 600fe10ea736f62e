// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::text::{Invalid, invalid};

/// How much may be pulled from a server in a second, in KiB (1,024 bytes). No limit is `None` of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Bandwidth(NonZeroU32);

impl Bandwidth {
    /// More than any line carries: 10 GiB a second.
    pub const MOST: u32 = 10 * 1024 * 1024;

    /// Reads a number of KiB a second; 0 is no limit.
    ///
    /// # Errors
    /// For a number that is negative or too large.
    pub fn parse(kib: i64) -> Result<Option<Self>, Invalid> {
        match u32::try_from(kib) {
            Ok(kib) if kib <= Self::MOST => Ok(NonZeroU32::new(kib).map(Self)),
            _ => invalid(format!(
                "expected a number of KiB a second from 0, which is no limit, to {}",
                Self::MOST
            )),
        }
    }

    /// As a number of KiB a second; 0 is no limit.
    pub fn kib(limit: Option<Self>) -> u32 {
        limit.map_or(0, u32::from)
    }

    /// As a number of bytes a second.
    pub fn bytes(self) -> u64 {
        u64::from(self.0.get()) * 1024
    }
}

impl From<Bandwidth> for u32 {
    fn from(bandwidth: Bandwidth) -> Self {
        bandwidth.0.get()
    }
}

impl TryFrom<u32> for Bandwidth {
    type Error = Invalid;

    fn try_from(kib: u32) -> Result<Self, Invalid> {
        Self::parse(i64::from(kib))?.ok_or_else(|| Invalid("0 is no limit".to_owned()))
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_of_kib_a_second() {
        let limit = Bandwidth::parse(200).unwrap();
        assert_eq!(limit.map(Bandwidth::bytes), Some(204_800));
        assert_eq!((Bandwidth::kib(limit), Bandwidth::kib(None)), (200, 0));
        assert_eq!(Bandwidth::parse(0), Ok(None));
        let most = i64::from(Bandwidth::MOST);
        assert!(Bandwidth::parse(most).is_ok());
        for number in [-1, most + 1, i64::MIN, i64::MAX] {
            assert!(Bandwidth::parse(number).is_err(), "{number}");
        }
    }

    #[test]
    fn what_is_stored_is_a_limit_or_nothing() {
        let read = |text: &str| serde_json::from_str::<Option<Bandwidth>>(text).ok();
        assert_eq!(read("5"), Some(Bandwidth::parse(5).unwrap()));
        assert_eq!(read("null"), Some(None));
        for text in ["0", "-1", "1.5", "\"5\"", "99999999"] {
            assert_eq!(read(text), None, "{text}");
        }
        let written = serde_json::to_string(&Bandwidth::parse(7).unwrap()).unwrap();
        assert_eq!(written, "7");
    }
}
