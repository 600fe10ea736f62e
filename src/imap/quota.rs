// SPDX-License-Identifier: GPL-3.0-or-later

use super::scan::{Scanner, Value};

/// Quotas are told in units of so many octets (RFC 9208, 5.1).
const UNIT: u64 = 1024;

/// How much room a mailbox has, in octets.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct StorageQuota {
    /// What is taken.
    pub used: u64,
    /// What there is in all.
    pub limit: u64,
}

impl StorageQuota {
    /// `"User quota" (STORAGE 10 512 MESSAGE 3 100)`; `None` where it is not about room.
    pub(super) fn parse(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.value()?;
        let Value::List(resources) = scanner.value()? else {
            return None;
        };
        resources.chunks(3).find_map(|resource| match resource {
            [Value::Atom(name), used, limit] if name.eq_ignore_ascii_case("STORAGE") => Some(Self {
                used: used.number::<u64>()?.saturating_mul(UNIT),
                limit: limit.number::<u64>()?.saturating_mul(UNIT),
            }),
            _ => None,
        })
    }

    /// What is left.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}
