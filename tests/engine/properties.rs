// SPDX-License-Identifier: GPL-3.0-or-later
//! What holds for every input: names, patterns, sets, schedules, files, and whatever a server may send.

use std::collections::BTreeSet;
use std::time::Duration;

use ns8_imapsync::imap::wire::Wire;
use ns8_imapsync::imap::{Listed, Mailbox, Namespace, Namespaces, Response, UidSet};
use ns8_imapsync::sync::folder_mapping::{self, Known, Provider, Selection, Side};
use ns8_imapsync::task::{
    Exclusions, FolderMode, FolderOptions, LocalUser, RemoteDeletion, RemoteHost, RemoteUser, Schedule,
    Security, Task, TaskId, env,
};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;

/// What the reader makes of a server's octets when they arrive in pieces.
fn read(octets: &[u8], pieces: &[usize]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(ours), Duration::from_secs(300));
        let send = async move {
            let mut rest = octets;
            let mut pieces = pieces.iter().cycle();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*pieces.next().unwrap()).clamp(1, rest.len()));
                // A reader that has given up hangs up.
                if theirs.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
                rest = after;
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
    })
}

/// Octets that look like IMAP often enough to get deep into the reader.
fn server_octets() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"* ".to_vec()),
        Just(b"+ ".to_vec()),
        Just(b"A1 OK [APPENDUID 7 1:3] done".to_vec()),
        Just(b"1 FETCH (UID 7 FLAGS (\\Seen) BODY[] ".to_vec()),
        Just(b"STATUS INBOX (MESSAGES 1 UIDNEXT 4294967295 UIDVALIDITY 0)".to_vec()),
        Just(b"LIST (\\HasChildren) \"/\" ".to_vec()),
        Just(b"ESEARCH (TAG \"x\") UID ALL 4294967295:1".to_vec()),
        Just(b"SEARCH 1 2 3 x".to_vec()),
        Just(b"NAMESPACE ((\"\" \"/\")) NIL NIL".to_vec()),
        Just(b"{3}\r\nabc".to_vec()),
        Just(b"{5}\r\n".to_vec()),
        Just(b"{99999999999999999999}\r\n".to_vec()),
        Just(b"\"a \\\" b\"".to_vec()),
        Just(b")\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"((((".to_vec()),
        Just(b"BODY[HEADER.FIELDS (X)]<0> NIL".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

fn side(prefix: &str, separator: char, names: &BTreeSet<String>) -> Side {
    let listed = |name: &String| Listed {
        mailbox: Mailbox::from_name(name),
        attributes: vec![],
        separator: Some(separator),
    };
    let namespaces = Namespaces {
        personal: vec![Namespace {
            prefix: prefix.as_bytes().to_vec(),
            separator: Some(separator),
        }],
        ..Namespaces::default()
    };
    let folders = names.iter().map(|name| (listed(name), None)).collect();
    Side::new(Some(namespaces), folders, Provider::Other)
}

fn separator() -> impl Strategy<Value = char> {
    prop_oneof![Just('.'), Just('/'), Just('\\')]
}

fn schedule() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (1..=60).prop_map(|n| format!("{n}m")),
        (1..=24).prop_map(|n| format!("{n}h")),
        (rhythm(), window(), days()).prop_map(|(rhythm, window, days)| format!("{rhythm}{window}{days}")),
        (0..24, 0..60, days()).prop_map(|(hour, minute, days)| format!("{hour:02}:{minute:02}{days}")),
    ]
}

fn rhythm() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..60).prop_map(|n| format!("{n}m")),
        (1..=24).prop_map(|n| format!("{n}h"))
    ]
}

fn window() -> impl Strategy<Value = String> {
    let window = (0..24, 1..24).prop_map(|(from, long)| format!("@{from}-{}", (from + long) % 24));
    prop_oneof![Just(String::new()), window]
}

fn days() -> impl Strategy<Value = String> {
    let all = vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let some = proptest::sample::subsequence(all, 1..7).prop_map(|days| format!("@{}", days.join(",")));
    prop_oneof![Just(String::new()), some]
}

prop_compose! {
    fn task()(
        id in "[a-zA-Z0-9]{1,12}",
        local_user in "[a-z][a-z0-9._@+=-]{0,20}",
        remote_user in "[^\\p{Cc}\u{2028}\u{2029}]{1,40}",
        remote_host in prop_oneof![Just("imap.foo.com"), Just("192.0.2.7"), Just("[2001:db8::1]"), Just("bücher.example")],
        port in 1u16..,
        security in prop_oneof![Just(Security::Opportunistic), Just(Security::StartTls), Just(Security::Tls)],
        folders in prop_oneof![Just(FolderMode::All), Just(FolderMode::Inbox), Just(FolderMode::Exclusion)],
        patterns in proptest::collection::vec("[A-Za-z0-9ä^$.][A-Za-z0-9 ä/^$.'=]{0,8}[A-Za-z0-9]", 0..4),
        delete_local in any::<bool>(),
        (delete_remote, days) in (any::<bool>(), 0u32..4000),
        schedule in schedule(),
        sieve in any::<bool>(),
    ) -> Task {
        Task {
            id: TaskId::parse(&id).unwrap(),
            local_user: LocalUser::parse(&local_user).unwrap(),
            remote_user: RemoteUser::parse(&remote_user).unwrap(),
            remote_host: RemoteHost::parse(remote_host).unwrap(),
            remote_port: port.to_string().parse().unwrap(),
            security,
            folders,
            exclusions: Exclusions::parse(&patterns.join(",")).unwrap(),
            delete_local,
            delete_remote: RemoteDeletion::from_fields(delete_remote, days),
            schedule: Schedule::parse(&schedule).unwrap(),
            sieve,
        }
    }
}

/// Whether a crontab field matches, as far as this module writes them.
fn matches(field: &str, value: i64) -> bool {
    match field.strip_prefix("*/") {
        Some(step) => value % step.parse::<i64>().unwrap() == 0,
        None => field == "*" || field.split(',').any(|one| one.parse() == Ok(value)),
    }
}

/// Whether cron starts something in a minute, counted from the beginning of 1970, which was a Thursday.
fn starts(line: &str, minute: i64) -> bool {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let weekday = (minute / 1440 + 3) % 7 + 1;
    assert_eq!((fields.len(), fields[2], fields[3]), (5, "*", "*"));
    matches(fields[0], minute % 60) && matches(fields[1], minute / 60 % 24) && matches(fields[4], weekday)
}

/// Whether a schedule such as `5m@22-6@fri` or `22:30` means a minute, said in another way than the program's.
fn means(text: &str, minute: i64) -> bool {
    let mut parts: Vec<&str> = text.split('@').collect();
    let rhythm = parts.remove(0);
    let (mut day, hour, within) = (minute / 1440, minute / 60 % 24, minute % 60);
    let mut position = hour;
    if let Some((from, to)) = parts.first().and_then(|part| part.split_once('-')) {
        let (from, to): (i64, i64) = (from.parse().unwrap(), to.parse().unwrap());
        let inside = if from < to {
            from <= hour && hour < to
        } else {
            hour >= from || hour < to
        };
        if !inside {
            return false;
        }
        position = (hour - from + 24) % 24;
        day -= i64::from(hour < from);
        parts.remove(0);
    }
    let names = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
    let name = names[usize::try_from(day.rem_euclid(7)).unwrap()];
    if !parts
        .first()
        .is_none_or(|days| days.split(',').any(|day| day == name))
    {
        return false;
    }
    match (
        rhythm.split_once(':'),
        rhythm.strip_suffix('m'),
        rhythm.strip_suffix('h'),
    ) {
        (Some((at, minute)), ..) => at.parse() == Ok(hour) && minute.parse() == Ok(within),
        (_, Some("60"), _) => within == 1,
        (_, Some(amount), _) => within % amount.parse::<i64>().unwrap() == 0,
        (_, _, Some(amount)) => within == 1 && position % amount.parse::<i64>().unwrap() == 0,
        _ => panic!("{text}"),
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic_and_the_same_in_any_pieces(
        octets in server_octets(),
        pieces in proptest::collection::vec(1usize..9, 1..6),
    ) {
        let whole = read(&octets, &[octets.len().max(1)]);
        prop_assert_eq!(&whole, &read(&octets, &[1]));
        prop_assert_eq!(&whole, &read(&octets, &pieces));
    }

    #[test]
    fn a_name_survives_the_wire_and_no_two_names_are_one_there(a in "\\PC{1,20}", b in "\\PC{1,20}") {
        let (first, second) = (Mailbox::from_name(&a), Mailbox::from_name(&b));
        let again = Mailbox::from_wire(first.wire().to_vec());
        prop_assert_eq!(&again, &first);
        if !a.eq_ignore_ascii_case("INBOX") {
            prop_assert_eq!(first.name(), &a);
        }
        let same = a == b || (a.eq_ignore_ascii_case("INBOX") && b.eq_ignore_ascii_case("INBOX"));
        prop_assert_eq!(first.wire() == second.wire(), same);
    }

    #[test]
    fn folders_keep_apart(
        names in proptest::collection::btree_set("(INBOX[./])?[a-cA./\\\\_ä]{1,6}", 1..12),
        (remote_separator, local_separator) in (separator(), separator()),
        (prefix, local_prefix) in (any::<bool>(), any::<bool>()),
        before in proptest::collection::vec(0usize..12, 0..3),
    ) {
        let prefix_of = |has: bool, separator: char| if has { format!("INBOX{separator}") } else { String::new() };
        let remote = side(&prefix_of(prefix, remote_separator), remote_separator, &names);
        let local = side(&prefix_of(local_prefix, local_separator), local_separator, &BTreeSet::from(["INBOX".to_owned()]));
        let selection = Selection { mode: FolderMode::All, excluded: vec![], options: FolderOptions::default() };
        let pairs = folder_mapping::pair(&remote, &local, &selection, &Known::new());
        prop_assert_eq!(pairs.len(), names.len());
        for pair in &pairs {
            let others = pairs.iter().filter(|other| {
                [&other.local, &other.fallback].iter().any(|name| [&pair.local, &pair.fallback].contains(name))
            });
            prop_assert_eq!(others.count(), 1, "{:?}", pair);
            prop_assert!(!pair.joined);
            prop_assert!(pair.local.name().starts_with(&prefix_of(local_prefix, local_separator)) || pair.local.is_inbox());
        }
        // What is known of some of them stays, whatever comes in addition.
        let known: Known = before
            .iter()
            .filter_map(|&at| pairs.get(at))
            .map(|pair| (pair.remote.clone(), pair.fallback.clone()))
            .collect();
        let again = folder_mapping::pair(&remote, &local, &selection, &known);
        for pair in &again {
            prop_assert!(known.get(&pair.remote).is_none_or(|local| *local == pair.local), "{:?}", pair);
            prop_assert!(!pair.joined, "{:?}", pair);
        }
    }

    #[test]
    fn a_pattern_of_letters_leaves_out_what_contains_it(pattern in "[a-cA-C]{1,3}", name in "[a-cA-C/]{1,12}") {
        let exclusions = Exclusions::parse(&format!(" {pattern} ,zzz")).unwrap();
        prop_assert_eq!(Exclusions::from_stored(&exclusions.as_stored()), exclusions.clone());
        let selection = Selection {
            mode: FolderMode::Exclusion,
            excluded: exclusions.matchers().unwrap(),
            options: FolderOptions::default(),
        };
        let remote = side("", '/', &BTreeSet::from([name.clone()]));
        prop_assert_eq!(selection.leaves_out(&remote, &remote.folders[0].0), name.contains(&pattern));
    }

    #[test]
    fn any_text_is_patterns_or_an_error(text in "\\PC{0,30}") {
        if let Ok(exclusions) = Exclusions::parse(&text) {
            prop_assert!(exclusions.matchers().is_ok());
            prop_assert_eq!(Exclusions::parse(&exclusions.as_stored()), Ok(exclusions.clone()));
        }
    }

    #[test]
    fn sets_of_ranges_are_sets(
        ranges in proptest::collection::vec((1u32..500, 0u32..40), 1..12),
        others in proptest::collection::vec((1u32..500, 0u32..40), 1..12),
    ) {
        let text = |ranges: &[(u32, u32)]| {
            ranges.iter().map(|(from, more)| format!("{}:{from}", from + more)).collect::<Vec<_>>().join(",")
        };
        let model = |ranges: &[(u32, u32)]| -> BTreeSet<u32> {
            ranges.iter().flat_map(|&(from, more)| from..=from + more).collect()
        };
        let (a, b) = (UidSet::parse(text(&ranges).as_bytes()).unwrap(), UidSet::parse(text(&others).as_bytes()).unwrap());
        let (ma, mb) = (model(&ranges), model(&others));
        prop_assert_eq!(a.iter().collect::<BTreeSet<_>>(), ma.clone());
        prop_assert_eq!(a.len(), ma.len() as u64);
        prop_assert_eq!(UidSet::parse(a.to_string().as_bytes()), Some(a.clone()));
        let union: UidSet = a.iter().chain(b.iter()).collect();
        prop_assert_eq!(union.iter().collect::<Vec<_>>(), ma.union(&mb).copied().collect::<Vec<_>>());
        prop_assert_eq!(a.minus(&b).iter().collect::<Vec<_>>(), ma.difference(&mb).copied().collect::<Vec<_>>());
        let pieces = a.chunks(9).collect::<Vec<_>>();
        prop_assert_eq!(pieces.iter().flat_map(UidSet::iter).collect::<Vec<_>>(), a.iter().collect::<Vec<_>>());
        prop_assert!(pieces.iter().all(|piece| (1..=9).contains(&piece.len())));
    }

    #[test]
    fn huge_sets_stay_ranges(from in 1u32.., to in 1u32..) {
        let set = UidSet::parse(format!("{from}:{to}").as_bytes()).unwrap();
        prop_assert_eq!(set.len(), u64::from(from.abs_diff(to)) + 1);
        prop_assert!(set.contains(from) && set.contains(to));
        prop_assert!(set.minus(&set).is_empty());
    }

    #[test]
    fn a_schedule_is_what_cron_makes_of_it(text in schedule(), now in 0i64..4_000_000_000) {
        let Some(schedule) = Schedule::parse(&text).unwrap() else { return Ok(()) };
        prop_assert_eq!(Schedule::parse(&schedule.to_string()).unwrap(), Some(schedule));
        let lines = schedule.cron_fields();
        let starts = |minute: i64| lines.iter().any(|line| starts(line, minute));
        let first = (now / 60 + 1..).find(|&minute| starts(minute)).unwrap();
        for minute in now / 60 + 1..first + 120 {
            prop_assert_eq!(starts(minute), means(&text, minute), "{} at {}", text, minute);
        }
        prop_assert_eq!(schedule.next_start(now), Some(first * 60));
    }

    #[test]
    fn any_text_is_a_schedule_or_an_error(text in "[0-9mh ]{0,5}|[0-9mh:@,-]{0,9}|\\PC{0,6}") {
        if let Ok(Some(schedule)) = Schedule::parse(&text) {
            let stored = schedule.to_string();
            prop_assert_eq!(Schedule::parse(&stored).unwrap(), Some(schedule));
            // Sixty minutes are an hour; times, hours and days have one of several forms.
            let plain = |text: &str| !text.contains([':', '@']);
            prop_assert!(text == stored || !plain(&text) || (text == "60m" && stored == "1h"));
        }
    }

    #[test]
    fn a_task_survives_its_file(
        task in task(),
        kept in proptest::collection::vec(("SITE_[A-Z]{1,6}", "[^\\p{Cc}]{0,20}"), 0..3),
    ) {
        let kept: env::Kept = kept.into_iter().map(|(name, value)| env::Entry { name, value }).collect();
        let text = env::render(&task, &kept).unwrap();
        let (read, others) = env::parse(&text).unwrap();
        prop_assert_eq!(&read, &task);
        prop_assert_eq!(&others, &kept);
        prop_assert_eq!(env::render(&read, &others).unwrap(), text);
    }

    #[test]
    fn any_text_is_a_task_or_an_error(text in "\\PC{0,100}", task in task(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let _ = env::parse(&text);
        let mut damaged: Vec<char> = env::render(&task, &[]).unwrap().chars().collect();
        let at = at.index(damaged.len());
        damaged[at] = with;
        let damaged: String = damaged.into_iter().collect();
        if let Ok((read, kept)) = env::parse(&damaged) {
            let text = env::render(&read, &kept).unwrap();
            prop_assert_eq!(env::parse(&text).unwrap().0, read);
        }
    }
}
