// SPDX-License-Identifier: GPL-3.0-or-later
//! Looks at both sides outside a run, at servers that cannot cope with how they are asked at first.

use crate::server_faults::fault::{ALWAYS, Act, Faults, Rule};
use crate::server_faults::world::{Mode, Side, World, everywhere, message};

#[test]
fn a_look_copes_with_what_a_run_copes_with() {
    let unknown = |verb, with| Rule::times(ALWAYS, verb, with, Act::Answer("BAD Unknown"));
    let too_early = |verb| Rule::once(verb, "", Act::Answer("BAD Too early"));
    for rule in [
        unknown("ENABLE", ""),
        unknown("LIST", "RETURN"),
        unknown("UID SEARCH", "RETURN"),
        too_early("LIST"),
        too_early("UID SEARCH"),
        Rule::times(2, "ID", "", Act::Close),
    ] {
        everywhere(&[Side::Remote, Side::Local], &[Mode::Copy], |side, mode| {
            let mut world = World::new(mode).titled(format!("{side:?} {rule:?}"));
            world.finish();
            world.arrives("INBOX", &message("new", 300));
            let ask = |question: &[&str]| {
                world.server(side).behave(Faults::rule(rule.clone()));
                world.instance.ask(&[question, &[world.name().as_str()]].concat())
            };
            let title = &world.title;
            let tested = ask(&["validation"]);
            for side in ["remote", "local"] {
                assert_eq!(tested[side]["status"], "ok", "{title}: {tested}");
            }
            let listed = ask(&["list-folders"]);
            assert_eq!(listed["messages"], 9, "{title}: {listed}");
            let preview = ask(&["start", "--dry-run"]);
            assert_eq!(preview["copy"], 1, "{title}: {preview}");
            assert_eq!(preview["warnings"], serde_json::json!([]), "{title}: {preview}");
            let verified = ask(&["verify"]);
            let folders = verified["folders"].as_array().expect("folders");
            assert!(
                folders.iter().all(|folder| folder["unreadable"].is_null()),
                "{title}: {verified}"
            );
        });
    }
}
