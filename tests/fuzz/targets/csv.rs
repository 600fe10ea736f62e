// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets are rows or errors, and the errors can be told.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../actions/common/fields"]
#[allow(dead_code, reason = "reading rows needs the names of the columns alone")]
mod fields {
    pub(crate) mod columns;
}
#[path = "../../../actions/common/rows.rs"]
mod rows;
#[path = "../../../actions/common/table.rs"]
mod table;

fuzz_target!(|octets: &[u8]| {
    match rows::rows(octets) {
        Ok(rows) => {
            for row in rows {
                match row {
                    Ok(row) => assert!(row.len() <= fields::columns::COLUMNS.len()),
                    Err(error) => {
                        let _ = format!("{error}");
                    }
                }
            }
        }
        Err(error) => {
            let _ = format!("{error:#}");
        }
    }
});
