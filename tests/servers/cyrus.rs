// SPDX-License-Identifier: GPL-3.0-or-later
//! Cyrus IMAP: folders of others next to one's own, and UIDs of its own making.

use sandbox::{Imap, Sandbox};

use crate::source::{Source, folder, installed, not_tried, port, script, serve};
use crate::steps;

#[test]
fn cyrus() -> anyhow::Result<()> {
    let root = match installed("/usr/sbin/cyrmaster") {
        Ok(root) => root,
        Err(reason) => {
            not_tried("Cyrus", &reason);
            return Ok(());
        }
    };
    let sandbox = Sandbox::start()?;
    let (files, dir) = folder(&root)?;
    let port = port()?;
    let imapd = format!(
        "configdirectory: {dir}/conf\ndefaultpartition: default\npartition-default: {dir}/mail\nsievedir: {dir}/sieve\n\
         proc_path: {dir}/run/proc\nmboxname_lockpath: {dir}/run/lock\naltnamespace: yes\nunixhierarchysep: yes\n\
         allowplaintext: yes\nsasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {dir}/sasldb\n\
         sasl_mech_list: PLAIN LOGIN\nautocreate_quota: 0\nautocreate_post: 1\nreject8bitheader: no\nadmins: nobody\n"
    );
    let services = format!(
        "START {{\n  recover cmd=\"/usr/lib/cyrus/bin/ctl_cyrusdb -C {dir}/imapd.conf -r\"\n}}\nSERVICES {{\n  \
         imap cmd=\"/usr/lib/cyrus/bin/imapd -C {dir}/imapd.conf -U 30\" listen=\"127.0.0.1:{port}\" prefork=1\n}}\nEVENTS {{\n}}\n"
    );
    std::fs::write(files.path().join("imapd.conf"), imapd)?;
    std::fs::write(files.path().join("cyrus.conf"), services)?;
    script(
        &root,
        &format!(
            "cd {dir}; mkdir -p conf mail sieve run
             for user in ours theirs; do
                 echo Pw-$user | saslpasswd2 -p -c -f sasldb -u \"$(hostname)\" $user
             done
             chown -R cyrus:mail ."
        ),
    )?;
    let start =
        format!("exec cyrmaster -C {dir}/imapd.conf -M {dir}/cyrus.conf -p {dir}/run/pid 2> {dir}/log");
    let server = serve(&sandbox, &root, &start, port)?;
    // What somebody else lets this person read and delete is no one's to pull or to empty.
    let mut theirs = Imap::connect("127.0.0.1", port, "theirs", "Pw-theirs")?;
    theirs.run("CREATE Plans")?;
    theirs.append(
        "Plans",
        "",
        b"Message-Id: <theirs@odd>\r\n\r\nNot of this person.\r\n",
    )?;
    theirs.run("SETACL Plans ours lrswipkxtecda")?;
    let source = Source {
        not_ours: &["Other Users"],
        _servers: vec![server],
        _folder: Some(files),
        ..Source::new(port, "ours", "Pw-ours")
    };
    let shown = sandbox::mail::raw_names(&mut source.imap()?)?;
    anyhow::ensure!(
        shown.contains(&"Other Users/theirs/Plans".to_owned()),
        "{shown:?}"
    );
    steps::all(&sandbox, "Cyrus", &source)?;
    theirs.run("EXAMINE Plans")?;
    let left = sandbox::case::search(&mut theirs, "ALL")?;
    anyhow::ensure!(left.len() == 1, "the other person's mail: {left:?}");
    Ok(())
}
