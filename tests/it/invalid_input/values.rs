// SPDX-License-Identifier: GPL-3.0-or-later
//! What looks dangerous and is not: it is used to the letter.

use anyhow::Context as _;
use sandbox::{NewMail, Sandbox, Side};
use serde_json::json;

use crate::support::action_output;

#[test]
fn patterns_and_names_that_a_shell_would_read_are_used_to_the_letter() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let user = "$(id) `id` ;|& {1} <y> * [z] %s #@example.com";
    sandbox.remote().reconfigure("auth_username_chars =\n")?;
    sandbox.remote().set_user(user, "Pw-odd!")?;
    let mail = |name: &str, folder: &str| NewMail::new(name).folder(folder);
    sandbox.add_mail(
        Side::Remote,
        user,
        &[
            mail("kept@x", "It is kept"),
            mail("left@x", "It's left out"),
            mail("cash@x", "$(id)"),
        ],
    )?;
    let patterns = "^It's,\\$\\(id\\)$,`id`,\"q\",a\\\\b";
    let input = sandbox.task_with(json!({
        "remoteusername": user, "remotepassword": "Pw-odd!", "foldersynchronization": "exclusion",
        "exclude": patterns,
    }));
    sandbox.sync(input).with_context(|| sandbox.remote().log())?;
    let task = &action_output(&sandbox, "list-tasks", json!({}))?["user_properties"][0];
    assert_eq!(task["remoteusername"], user);
    assert_eq!(task["exclude"], format!(",{patterns}"));
    assert_eq!(task["last_sync_exit_code"], 0, "{}", sandbox.log("u1_abc123"));
    let local = sandbox.mailbox(Side::Local, "u1")?;
    let filled: Vec<&String> = local
        .iter()
        .filter(|(_, mails)| !mails.is_empty())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(filled, ["It is kept"]);
    Ok(())
}

#[test]
fn any_password_of_200_characters_logs_in_and_runs() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let long = |part: &str| part.chars().cycle().take(198).collect::<String>();
    let passwords = [
        "  leading and trailing  ".to_owned(),
        format!(" {} ", long("aZ9!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
        format!(" {} ", long("äöüßéèñçøåœ")),
        format!(" {} ", long("e\u{301}o\u{308}")),
        format!(" {} ", long("Пароль")),
        format!(" {} ", long("密码パスワード비밀")),
        format!(" {} ", long("كلمةالسر")),
        format!(" {} ", long("🔑👩‍🚀")),
        "-".to_owned(),
        "=x".to_owned(),
        "{PLAIN}x".to_owned(),
        "%s%n{0}".to_owned(),
    ];
    for (index, password) in passwords.iter().enumerate() {
        sandbox
            .remote()
            .set_user(&format!("pw{index}@example.com"), password)?;
    }
    for (index, password) in passwords.iter().enumerate() {
        let id = format!("pw{index}");
        let input = sandbox.task_with(json!({
            "task_id": id, "remoteusername": format!("pw{index}@example.com"), "remotepassword": password,
        }));
        sandbox.sync(input)?;
        let file = std::fs::read(sandbox.task_file(&format!("u1_{id}"), "pwd"))?;
        assert_eq!(file, password.as_bytes(), "{index}");
    }
    let listed = action_output(&sandbox, "list-tasks", json!({}))?;
    for task in listed["user_properties"].as_array().unwrap() {
        assert_eq!(task["last_sync_exit_code"], 0, "{task}");
        assert_eq!(task["remotepassword"], "");
    }
    // The blanks are part of it.
    let trimmed = sandbox.task_with(json!({
        "task_id": "pw0", "remoteusername": "pw0@example.com", "remotepassword": "leading and trailing",
    }));
    let outcome = sandbox.action("create-task", trimmed)?;
    assert_eq!(outcome.errors(), ["bad_user_credentials"]);
    // The shell's face takes them as they are, quoted as CSV has it.
    let host = sandbox.remote().address();
    let rows: String = passwords
        .iter()
        .enumerate()
        .map(|(index, password)| {
            let quoted = password.replace('"', "\"\"");
            format!(
                "u2,pw{index}@example.com,\"{quoted}\",{host},{},tls,no\n",
                sandbox.remote().port()
            )
        })
        .collect();
    let file = format!(
        "localusername,remoteusername,remotepassword,remotehostname,remoteport,security,start\n{rows}"
    );
    let imported = sandbox.helper_with_input("import-csv-tasks", &[], file)?;
    assert_eq!(imported.exit_code, 0, "{imported:?}");
    Ok(())
}
