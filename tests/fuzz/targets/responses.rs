// SPDX-License-Identifier: GPL-3.0-or-later
//! Whatever a server sends: it is read without panic, and the same however it arrives. The first octet of the input
//! says in what pieces.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ns8_imapsync::imap::Response;
use ns8_imapsync::imap::wire::Wire;
use tokio::io::AsyncWriteExt as _;

async fn read(octets: &[u8], piece: usize) -> Vec<String> {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let mut wire = Wire::new(Box::new(ours), Duration::from_secs(5));
    let send = async move {
        for piece in octets.chunks(piece) {
            // A reader that has given up hangs up.
            if theirs.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let receive = async move {
        let mut seen = vec![];
        loop {
            match wire.receive().await {
                Ok(raw) => seen.push(format!("{:?}", Response::parse(raw))),
                Err(error) => {
                    seen.push(error.to_string());
                    return seen;
                }
            }
        }
    };
    tokio::join!(send, receive).1
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, octets)) = input.split_first() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let whole = read(octets, octets.len().max(1)).await;
        let pieces = read(octets, usize::from(piece % 16) + 1).await;
        assert_eq!(whole, pieces);
    });
});
