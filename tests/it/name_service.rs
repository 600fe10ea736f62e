// SPDX-License-Identifier: GPL-3.0-or-later
//! A static program must not load the name service libraries of its host: names are resolved without the C library.

use std::fs;

use anyhow::ensure;
use sandbox::Sandbox;
use serde_json::json;

/// The first file that the C library reads to resolve a name.
const FIRST: &str = "/etc/nsswitch.conf";

/// A name that needs no name server where the file of this machine has one, as it mostly does.
fn name() -> String {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    hosts
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split_whitespace().skip(1))
        .find(|name| *name != "localhost")
        .unwrap_or("imapsync.invalid")
        .to_owned()
}

/// The files that a program and its children open.
fn opened(sandbox: &Sandbox, variables: &[&str], program: &[&str], input: &str) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace");
    let trace_file = trace.to_string_lossy();
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=open,openat",
        "-o",
        &trace_file,
    ];
    let words = [variables, &strace, program].concat();
    let outcome = sandbox.helper_with_input("env", &words, input)?;
    let text = fs::read_to_string(&trace)?;
    ensure!(text.contains("open"), "{outcome:?}");
    Ok(text)
}

#[test]
fn no_name_is_resolved_by_the_c_library() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    if sandbox
        .helper("strace", &["-qq", "-o", "/dev/null", "true"])
        .is_err()
    {
        eprintln!("strace is not installed or not allowed, so it traces nothing here");
        return Ok(());
    }
    let name = name();
    let control = opened(&sandbox, &[], &["getent", "hosts", &name], "")?;
    ensure!(control.contains(FIRST), "the trace shows nothing: {control}");

    let redis = format!("REDIS_ADDRESS={name}:1");
    let cluster = format!("CLUSTER_API_URL=http://{name}:1");
    let ask = ["reveal-master-secret", "--wait=0"];
    let candidate = json!({
        "remote": {"host": name, "port": 993, "security": "ssl", "user": "r1", "password": "x"},
        "local": {"user": "u1"},
    });
    let validate = ["ns8-imapsync", "syncctl", "validation", "-"];
    for (variable, program, input) in [
        (redis.as_str(), &ask[..], String::new()),
        (&cluster, &ask[..], String::new()),
        ("MAIL_HOST=127.0.0.1", &validate[..], candidate.to_string()),
    ] {
        let files = opened(&sandbox, &[variable], program, &input)?;
        ensure!(
            files.contains("/etc/hosts"),
            "{program:?} resolves nothing: {files}"
        );
        ensure!(
            !files.contains(FIRST) && !files.contains("libnss"),
            "{program:?}: {files}"
        );
    }
    Ok(())
}
