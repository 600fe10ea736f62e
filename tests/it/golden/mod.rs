// SPDX-License-Identifier: GPL-3.0-or-later
//! Replays what was recorded from the previous, Python module, step by step through the agent, and compares exit
//! codes, status, output, files and mailboxes.
//!
//! The recording had its remote server at 127.0.0.3:143 and 127.0.0.3:993, and no one at 127.0.0.3:20999. The
//! sandbox has the same addresses, but free ports: in inputs and expectations these three ports are replaced.
//!
//! Where this module differs on purpose, the case lists the step and what happens instead, with the reason.
//! Two differences are everywhere: a refusal names the input field concerned, not `createTask`, so that of refusals
//! only the keys are compared; and list-tasks says more than it did, so that of outputs what was recorded must be
//! there, and more may be.

mod compare;
mod replay;
mod world;

use replay::{Case, Instead, replay};
use world::Mail;

/// A task that is refused leaves everything as it was, until the end of the case.
const fn refused(reason: &'static str, exit_code: i32, keys: &'static [&'static str]) -> Instead {
    Instead::Refused {
        reason,
        exit_code,
        keys,
    }
}

const NEVER_CREATED: Instead = Instead::Unchanged {
    reason: "the task was refused, so that there is none",
};
const FIELD_KEYS: &str = "a missing field is told by its name, for a schema with `required` would have the agent \
                          record the whole input, password included";
const NOT_FOUND: &str = "an unknown task is told, instead of leaving a status file of a task that never was";
const SIZES: Instead = Instead::Sizes {
    reason: "the messages here are not those of the recording",
};
const IDS: Instead = Instead::OtherIds {
    reason: "ids are made by the import, and a file has a line for Sieve in every case",
};

macro_rules! cases {
    ($($test:ident = $file:literal, $mail:expr $(, $step:literal: $instead:expr)*;)*) => {
        $(
            #[test]
            fn $test() -> anyhow::Result<()> {
                const INSTEAD: &[(&str, Instead)] = &[$(($step, $instead)),*];
                replay(&Case { file: $file, mail: $mail, instead: INSTEAD })
            }
        )*

        /// The cases that are replayed.
        const CASES: &[&str] = &[$($file),*];
    };
}

cases! {
    configure_ok = "configure-ok", Mail::None;
    configure_bad_uuid = "configure-bad-uuid", Mail::None;
    get_configuration = "get-configuration", Mail::None;

    create_ok_plain_all = "create-ok-plain-all", Mail::Usual;
    create_ok_tls_all = "create-ok-tls-all", Mail::Usual;
    create_ok_no_optional = "create-ok-no-optional", Mail::Usual;
    create_ok_inbox = "create-ok-inbox", Mail::Usual;
    create_ok_exclusion = "create-ok-exclusion", Mail::Usual;
    create_ok_exclude_but_all = "create-ok-exclude-but-all", Mail::Usual;
    create_ok_localuser_upper = "create-ok-localuser-upper", Mail::Usual;
    create_ok_delete_remote = "create-ok-delete-remote", Mail::Usual;
    create_delete_remote_inbox = "create-delete-remote-inbox", Mail::Usual;
    create_delete_remote_older = "create-delete-remote-older", Mail::OldAndYoung;
    create_older_without_delete = "create-older-without-delete", Mail::Old;
    create_sieve_inbox = "create-sieve-inbox", Mail::Sieve;
    create_sieve_all = "create-sieve-all", Mail::SieveAll;
    create_special_password = "create-special-password", Mail::Special("special@example.com");
    create_ascii_special_password = "create-ascii-special-password", Mail::Special("asc@example.com");

    create_bad_host = "create-bad-host", Mail::Usual;
    create_bad_host_dns = "create-bad-host-dns", Mail::Usual;
    create_bad_password = "create-bad-password", Mail::Usual;
    create_bad_port = "create-bad-port", Mail::Usual;
    create_bad_port_ssl = "create-bad-port-ssl", Mail::Usual;
    create_bad_user = "create-bad-user", Mail::Usual;
    create_ssl_on_143 = "create-ssl-on-143", Mail::Usual;
    create_tls_on_993 = "create-tls-on-993", Mail::Usual;
    create_update_bad_password_rolls_back = "create-update-bad-password-rolls-back", Mail::Usual;
    create_bad_localuser = "create-bad-localuser", Mail::Usual,
        "00": refused("local faults have their own keys", 1, &["local_user_unknown"]),
        "01": NEVER_CREATED,
        "02": NEVER_CREATED;
    create_empty_password_new = "create-empty-password-new", Mail::Usual,
        "00": refused("a new task without a password is told so", 1, &["password_required"]);
    create_newline_password = "create-newline-password", Mail::None,
        "00": refused("a line break can never reach a file", 1, &["remotepassword_invalid"]),
        "01": NEVER_CREATED;
    create_schema = "create-schema", Mail::None,
        "05": refused("the schema of this field is simpler", 10, &["remoteusername_string_gte"]),
        "15": refused(FIELD_KEYS, 10, &["task_id_required"]),
        "17": refused(FIELD_KEYS, 10, &["remotehostname_required", "security_required"]);

    delete_task = "delete-task", Mail::Usual,
        "03": refused(NOT_FOUND, 1, &["task_not_found"]),
        "04": refused("a missing field is a refusal, not a stack trace", 10, &["localuser_required"]);
    start_stop_missing = "start-stop-missing", Mail::None,
        "00": refused(NOT_FOUND, 1, &["task_not_found"]),
        "01": NEVER_CREATED,
        "02": refused(NOT_FOUND, 1, &["task_not_found"]),
        "03": refused("a missing field is a refusal, not a stack trace", 10, &["localuser_required"]),
        "04": refused("a missing field is a refusal, not a stack trace", 10, &["localuser_required"]),
        "05": refused("a wrong type is a refusal, not a stack trace", 10, &["task_id_invalid_type"]);
    start_stop_task = "start-stop-task", Mail::Endless,
        "08": Instead::Files {
            reason: "starting a task that runs does nothing: no failed run is written into its status",
            same_as: "07",
        },
        "09": Instead::Files { reason: "as before", same_as: "07" },
        "10": Instead::Files { reason: "as before", same_as: "07" };
    get_log = "get-log", Mail::Usual,
        "02": Instead::Log,
        "05": Instead::Output {
            reason: "whatever id create-task accepts has a log",
            output: r#"{"log_content": "", "truncated": false}"#,
        },
        "06": Instead::Output {
            reason: "a user whose name has upper case can read the log too",
            output: r#"{"log_content": "", "truncated": false}"#,
        },
        "07": refused("a path is refused with the key of the field", 1, &["localuser_invalid"]),
        "08": Instead::Output {
            reason: "a user name may be an address",
            output: r#"{"log_content": "", "truncated": false}"#,
        },
        "09": Instead::Output {
            reason: "whatever id create-task accepts has a log",
            output: r#"{"log_content": "", "truncated": false}"#,
        };
    list_tasks_empty = "list-tasks-empty", Mail::None;
    list_tasks_old_env_missing_key = "list-tasks-old-env-missing-key", Mail::OldEnv,
        "00": Instead::Completed { reason: "what can be read of a task is listed" };

    helper_expand_cron = "helper-expand-cron", Mail::Files;
    helper_expand_cron_hours = "helper-expand-cron-hours", Mail::Files,
        "00": Instead::Written {
            reason: "a schedule of hours survives a restart of the service",
            files: &[(
                "cron/u1_ech002.cron",
                "MAIL_HOST=127.0.0.2\n1 */2 * * *  root /usr/local/bin/syncctl start u1_ech002\n",
            )],
        };
    helper_reveal = "helper-reveal", Mail::None;
    import_module = "import-module", Mail::Getmail,
        "00": IDS,
        "01": IDS,
        "02": IDS;
    import_module_no_file = "import-module-no-file", Mail::None;
    list_informations = "list-informations", Mail::Usual,
        "02": SIZES,
        "04": refused("a missing field is a refusal, not a stack trace", 10, &["(root)_required", "(root)_required"]);
    list_informations_exclusion = "list-informations-exclusion", Mail::Usual,
        "02": SIZES;
    restore_module = "restore-module", Mail::Files;
}

#[test]
fn every_recording_is_replayed() -> anyhow::Result<()> {
    let dir = sandbox::project().join("tests/it/golden");
    let mut recorded = Vec::new();
    for entry in dir.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        recorded.extend(name.strip_suffix(".json").map(str::to_owned));
    }
    recorded.sort();
    let mut replayed = CASES.to_vec();
    replayed.sort_unstable();
    assert_eq!(replayed, recorded);
    Ok(())
}
