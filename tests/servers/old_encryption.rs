// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers whose encryption is older than this program's: what is wrong is named in words.

use std::process::Command;

use anyhow::ensure;
use sandbox::{Sandbox, Server};
use serde_json::json;

use crate::source::port;

/// Makes a key and a certificate for 127.0.0.1, with more of what `openssl req` takes.
fn certificate(folder: &std::path::Path, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .args(["req", "-x509", "-nodes", "-days", "30"]);
    command.args(["-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]);
    let made = command.args(arguments).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// A certificate of version 1, which has no extensions.
fn version_1(folder: &std::path::Path) -> anyhow::Result<()> {
    let script = "openssl req -new -nodes -newkey rsa:2048 -subj /CN=127.0.0.1 -keyout key.pem -out ask.pem
        openssl x509 -req -days 30 -in ask.pem -signkey key.pem -out cert.pem";
    let made = Command::new("sh")
        .current_dir(folder)
        .args(["-ec", script])
        .output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

#[test]
fn what_is_too_old_is_named() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let rsa: &[&str] = &["-newkey", "rsa:2048"];
    let cases: [(&str, &[&str], &[&str], &str); 8] = [
        ("TLS 1.0 alone", rsa, &["-tls1"], "older than TLS 1.2"),
        ("TLS 1.1 alone", rsa, &["-tls1_1"], "older than TLS 1.2"),
        (
            "RSA key exchange alone",
            rsa,
            &["-tls1_2", "-cipher", "AES256-GCM-SHA384"],
            "no cipher suite, key exchange",
        ),
        (
            "CBC alone",
            rsa,
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA"],
            "no cipher suite",
        ),
        ("RSA 1024", &["-newkey", "rsa:1024"], &[], "RSA key of 1024 bits"),
        ("X.509 v1", &[], &[], "version 1"),
        (
            "P-521",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
            &[],
            "signature algorithm",
        ),
        (
            "an unknown critical extension",
            &[
                "-newkey",
                "rsa:2048",
                "-addext",
                "1.2.3.4.5=critical,ASN1:UTF8String:x",
            ],
            &[],
            "critical extension",
        ),
    ];
    let mut failures = vec![];
    for (name, key, arguments, words) in cases {
        let folder = tempfile::tempdir()?;
        match name {
            "X.509 v1" => version_1(folder.path())?,
            _ => certificate(folder.path(), key)?,
        }
        let port = port()?;
        let mut command = Command::new("openssl");
        command
            .current_dir(folder.path())
            .args(["s_server", "-quiet", "-key", "key.pem"]);
        command.args(["-cert", "cert.pem", "-accept", &format!("127.0.0.1:{port}")]);
        if !arguments.contains(&"-cipher") {
            command.args(["-cipher", "ALL:@SECLEVEL=0"]);
        }
        command.args(arguments);
        let server = Server::start(sandbox.node(), command, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        let input = sandbox.task_with(json!({
            "remotehostname": "127.0.0.1",
            "remoteport": port,
            "security": "ssl",
        }));
        let outcome = sandbox.action("validate-task", input)?;
        drop(server);
        let said = outcome.output["remote"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        println!("{name}: {said}");
        if !said.contains(words) {
            failures.push(format!("{name}: not {words:?} but {outcome:?}"));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
