// SPDX-License-Identifier: GPL-3.0-or-later
//! JSON that comes by stdin.

use std::io::Read as _;

use ns8_imapsync::secret::{ROOM, Zeroizing};
use ns8_imapsync::sync::account::Failure;
use serde::de::DeserializeOwned;

use super::failed;

/// Reads JSON from stdin that may hold a secret.
pub(super) fn read_json<T: DeserializeOwned>(what: &str) -> Result<T, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    std::io::stdin()
        .take(1024 * 1024)
        .read_to_string(&mut text)
        .map_err(failed)?;
    // What serde says may repeat a value, which may be the secret.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        failed(format!("stdin is not {what} (line {line}, column {column})"))
    })
}
