// SPDX-License-Identifier: GPL-3.0-or-later
//! Pieces, cuts, floods and silence.

use super::*;
use tokio::io::DuplexStream;

fn pair() -> (Wire, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(4096);
    (Wire::new(Box::new(ours), Duration::from_secs(300)), theirs)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn literals_arrive_whole_whatever_the_pieces() {
    run(async {
        let session = b"* 1 FETCH (BODY[] {7}\r\nab\r\n}c\n UID 4)\r\n* OK fine {5}x\r\nA1 OK done\r\n";
        for cut in 1..session.len() {
            let (mut wire, mut server) = pair();
            let writer = async {
                for piece in session.chunks(cut) {
                    server.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let reader = async {
                let first = wire.receive().await.unwrap();
                assert_eq!(first.text, b"* 1 FETCH (BODY[] {7}\r\n UID 4)");
                assert_eq!(first.literals[0].as_memory(), Some(&b"ab\r\n}c\n"[..]));
                assert_eq!(wire.receive().await.unwrap().text, b"* OK fine {5}x");
                assert_eq!(wire.receive().await.unwrap().text, b"A1 OK done");
            };
            tokio::join!(writer, reader);
        }
    });
}

#[test]
fn closing_anywhere_is_a_lost_connection() {
    run(async {
        let session = b"* 1 FETCH (BODY[] {7}\r\nab\r\n}c\n UID 4)\r\n";
        for end in 0..session.len() {
            let (mut wire, mut server) = pair();
            server.write_all(&session[..end]).await.unwrap();
            drop(server);
            assert!(
                matches!(wire.receive().await, Err(Error::Lost(_))),
                "cut at {end}"
            );
        }
    });
}

#[test]
fn endless_lines_and_absurd_literals_are_refused() {
    run(async {
        let (mut wire, mut server) = pair();
        server
            .write_all(b"* 1 FETCH (BODY[] {99999999999999999999}\r\n")
            .await
            .unwrap();
        assert!(matches!(wire.receive().await, Err(Error::Limit(_))));
    });
}

/// What comes of this being sent, over and over.
async fn flood(start: &[u8], piece: &[u8]) -> Result<Raw> {
    let (mut wire, mut server) = pair();
    server.write_all(start).await.unwrap();
    let flood = async {
        while server.write_all(piece).await.is_ok() {}
        // Never reached while the reader holds on.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        received = wire.receive() => received,
        () = flood => unreachable!(),
    }
}

#[test]
fn floods_are_refused() {
    run(async {
        for (start, piece) in [
            (&b"* LIST () \"/\" "[..], &b"endless"[..]),
            (b"* SEARCH", b" 123456"),
            (b"* 1 FETCH (", b"BODY[1] {3}\r\nabc "),
            (b"* 1 FETCH (UID 1 RFC822.SIZE 100 BODY[] {4187593113}\r\n", b"y"),
            (b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n", b"y"),
        ] {
            let received = flood(start, piece).await;
            assert!(matches!(received, Err(Error::Limit(_))), "{received:?}");
        }
    });
}

#[test]
fn long_lists_of_uids_are_taken() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::new(Box::new(ours), Duration::from_secs(5));
        let line = format!("* SEARCH{}\r\n", " 1234567".repeat(500_000));
        let (_, received) = tokio::join!(theirs.write_all(line.as_bytes()), wire.receive());
        assert_eq!(received.unwrap().text.len(), line.len() - 2);
    });
}

#[test]
fn literals_of_one_response_share_the_memory() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut wire = Wire::new(Box::new(ours), Duration::from_secs(5));
        let part = format!("BODY[] {{200000}}\r\n{}", "x".repeat(200_000));
        let line = format!("* 1 FETCH ({part} {part})\r\n");
        let (_, received) = tokio::join!(theirs.write_all(line.as_bytes()), wire.receive());
        let literals = received.unwrap().literals;
        assert!(literals[0].as_memory().is_some() && literals[1].as_memory().is_none());
    });
}

fn run_paused<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

/// How long a server lasts that sends a piece every so often.
fn lasts(start: &[u8], piece: &'static [u8], every: Duration) -> Duration {
    run_paused(async {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(Box::new(ours), Duration::from_secs(150));
        theirs.write_all(start).await.unwrap();
        let drip = async {
            loop {
                tokio::time::sleep(every).await;
                if theirs.write_all(piece).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let begun = Instant::now();
        let receive = async {
            loop {
                match wire.receive().await {
                    Ok(_) if begun.elapsed() < Duration::from_secs(3600) => {}
                    Ok(_) => return,
                    Err(error) => {
                        assert!(matches!(error, Error::Timeout(_)), "{error}");
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = drip => {}
            () = receive => {}
        }
        begun.elapsed()
    })
}

#[test]
fn a_server_that_drips_is_given_up() {
    let minute = Duration::from_secs(60);
    let limit = Duration::from_secs(151);
    assert!(lasts(b"", b"* OK still working\r\n", minute) < limit);
    assert!(lasts(b"* 1 FETCH (BODY[] {9000}\r\n", b"y", minute) < limit);
    assert!(lasts(b"* LIST () \"/\" ", b"y", Duration::from_secs(1)) < limit);
    // A slow one that sends its message is not.
    assert!(lasts(b"* 1 FETCH (BODY[] {900000}\r\n", &[b'y'; 600], minute) > 10 * limit);
}

#[test]
fn literals_of_a_wrong_length_are_noticed() {
    let receive = |text: &'static [u8]| {
        run_paused(async {
            let (ours, mut theirs) = tokio::io::duplex(1 << 16);
            let mut wire = Wire::new(Box::new(ours), Duration::from_secs(150));
            theirs.write_all(text).await.unwrap();
            let begun = Instant::now();
            let received = wire.receive().await;
            assert!(matches!(received, Err(Error::Protocol(_))), "{received:?}");
            assert!(begun.elapsed() < Duration::from_secs(11));
        });
    };
    receive(b"* 5 FETCH (UID 5 BODY[] {8}\r\nabc)\r\n* 6 FETCH (UID 6)\r\n");
    receive(b"* 5 FETCH (UID 5 BODY[] {2}\r\nabc)\r\n");
    receive(b"* 5 FETCH (UID 5 RFC822.SIZE 3 BODY[] {500}\r\nabc)\r\nA7 OK done\r\n");
}

#[test]
fn a_server_that_talks_while_it_is_written_to_is_heard() {
    run(async {
        let (mut wire, server) = pair();
        let (mut from, mut to) = tokio::io::split(server);
        let chatter = async {
            for _ in 0..2000 {
                to.write_all(b"* 1 EXISTS\r\n").await.unwrap();
            }
            let mut sink = vec![0; 200_000];
            from.read_exact(&mut sink).await.unwrap();
        };
        let ours = async {
            wire.send(&vec![b'x'; 200_000]).await.unwrap();
            for _ in 0..2000 {
                assert_eq!(wire.receive().await.unwrap().text, b"* 1 EXISTS");
            }
        };
        tokio::join!(chatter, ours);
    });
}

/// Lets 100 octets through, and then nothing for 40 minutes.
struct Slow(std::sync::Mutex<(usize, Option<Instant>)>);

impl crate::imap::throttle::Governor for Slow {
    fn turn(&self) -> crate::imap::throttle::Turn {
        use crate::imap::throttle::Turn;
        let now = Instant::now();
        match self.0.lock().unwrap().1.filter(|until| *until > now) {
            Some(until) => Turn::Wait(until - now),
            None => Turn::Read(100),
        }
    }

    fn spend(&self, octets: usize) {
        let mut inner = self.0.lock().unwrap();
        inner.0 += octets;
        inner.1 = Some(Instant::now() + Duration::from_secs(2400));
    }
}

#[test]
fn holding_oneself_back_is_no_silence_of_the_server() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut wire, mut server) = pair();
        let slow = std::sync::Arc::new(Slow(std::sync::Mutex::new((0, None))));
        wire.set_throttle(Throttle::by(slow.clone()));
        let body = [b'x'; 1000];
        server.write_all(b"* 1 FETCH (BODY[] {1000}\r\n").await.unwrap();
        server.write_all(&body).await.unwrap();
        server.write_all(b")\r\n").await.unwrap();
        let begun = Instant::now();
        // Each pause is eight times as long as the server may be silent.
        let raw = wire.receive().await.unwrap();
        assert_eq!(raw.literals[0].as_memory(), Some(&body[..]));
        let pauses = 10;
        assert!(
            begun.elapsed() >= Duration::from_secs(pauses * 2400),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(slow.0.lock().unwrap().0, 1029, "all that was read is told");
        // The server's own silence still counts, and what it may not be told of waits.
        assert!(!wire.wait_within(Duration::from_secs(10)).await.unwrap());
        assert!(matches!(wire.receive().await, Err(Error::Timeout(_))));
    });
}

/// How a server announces the content of a message, or a part of it.
fn announced(part: &str, octets: usize) -> String {
    format!("* 3 FETCH (UID 7 BODY[]{part} {{{octets}}}\r\n")
}

/// What there is of a message after a connection that ended behind these octets of it, which may have had some to continue.
async fn broken_off(begun: Option<Begun>, announced: &str, content: &[u8]) -> Option<Begun> {
    let (mut wire, mut server) = pair();
    if let Some(begun) = begun {
        wire.await_rest(begun);
    }
    let writer = async {
        server.write_all(announced.as_bytes()).await.unwrap();
        server.write_all(content).await.unwrap();
        drop(server);
    };
    let (received, ()) = tokio::join!(wire.receive(), writer);
    assert!(matches!(received, Err(Error::Lost(_))));
    wire.take_begun()
}

#[test]
fn what_came_of_a_large_message_goes_before_its_rest() {
    run(async {
        // No two places look alike.
        let content = (0..200_000u32).flat_map(|n| format!("{n} ").into_bytes());
        let content: Vec<u8> = content.collect();
        let whole = announced("", content.len());
        let in_memory = usize::try_from(IN_MEMORY).unwrap();
        assert!(broken_off(None, &whole, &content[..in_memory]).await.is_none());
        let mut had = 400_000;
        let mut begun = broken_off(None, &whole, &content[..had]).await;
        for (now_has, has_grown) in [(400_000, false), (400_100, false), (1_000_000, true)] {
            let from = had - usize::try_from(OVERLAP).unwrap();
            let rest = begun.as_ref().map(Begun::rest);
            assert_eq!(
                rest,
                Some(format!("BODY.PEEK[]<{from}.{}>", content.len() - from))
            );
            let part = announced(&format!("<{from}>"), content.len() - from);
            begun = broken_off(begun, &part, &content[from..now_has]).await;
            assert_eq!(begun.as_ref().map(Begun::has_grown), Some(has_grown));
            had = now_has;
        }
        let from = had - usize::try_from(OVERLAP).unwrap();
        let (mut wire, mut server) = pair();
        wire.await_rest(begun.unwrap());
        let writer = async {
            let part = announced(&format!("<{from}>"), content.len() - from);
            server.write_all(part.as_bytes()).await.unwrap();
            server.write_all(&content[from..]).await.unwrap();
            server.write_all(b")\r\n").await.unwrap();
        };
        let (raw, ()) = tokio::join!(wire.receive(), writer);
        let raw = raw.unwrap();
        assert_eq!(raw.text, [whole.as_bytes(), b")"].concat());
        let mut reader = raw.literals[0].reader().unwrap();
        let mut all = vec![];
        while let Some(chunk) = reader.next_chunk().unwrap() {
            all.extend_from_slice(chunk);
        }
        assert!(all == content, "the parts do not fit");
    });
}

#[test]
fn a_message_begins_with_its_header_and_what_comes_next() {
    run(async {
        let header = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
        for (content, length) in [
            ([&header[..], &[b'x'; 400_000]].concat(), header.len() - 4 + 4096),
            (vec![b'x'; 400_000], usize::try_from(IN_MEMORY).unwrap()),
        ] {
            let begun = broken_off(None, &announced("", content.len()), &content[..300_000]).await;
            let beginning = begun.unwrap().beginning().unwrap();
            assert!(beginning == content[..length], "{}", beginning.len());
        }
    });
}

#[test]
fn the_time_to_an_answer_is_noted_unless_nobody_was_there_to_read_it() {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(async {
            let (mut wire, mut server) = pair();
            let answer_time = AnswerTime::default();
            wire.set_answer_time(answer_time.clone());
            let second = Duration::from_secs(1);
            wire.ask();
            let late = async {
                tokio::time::sleep(second).await;
                server.write_all(b"A1 OK\r\n").await.unwrap();
                tokio::time::sleep(second).await;
                server.write_all(b"* OK more\r\n").await.unwrap();
            };
            let read = async {
                wire.receive().await.unwrap();
                wire.receive().await.unwrap();
            };
            tokio::join!(late, read);
            assert_eq!(answer_time.take(), Some(second), "the first octets");

            wire.ask();
            server.write_all(b"A2 OK\r\n").await.unwrap();
            tokio::time::sleep(second).await;
            wire.receive().await.unwrap();
            assert_eq!(answer_time.take(), None);
        });
}
