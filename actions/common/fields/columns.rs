// SPDX-License-Identifier: GPL-3.0-or-later
//! The table of the fields of a task: what an import reads of a row, what stands for what a row leaves out, and how
//! list-tasks tells them.

use ns8_imapsync::task::options::Options;
use ns8_imapsync::task::{Bandwidth, FolderMode, Plan, SourceLink, Task};
use serde_json::{Value, json};

/// What a cell of a CSV file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text without the blanks around it.
    Text,
    /// A text as it is: blanks may be part of it.
    Secret,
    /// A word in small letters.
    Word,
    /// How a connection is protected, by any of its names.
    Security,
    /// A number.
    Number,
    /// A truth value, by any of its names.
    Flag,
}

/// Whether a row has to have a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Always.
    Required,
    /// Where the row names no source.
    UnlessSource,
    /// It may be left out.
    Optional,
}

/// One field of create-task that may stand in a row.
pub(crate) struct Column {
    /// Its name in create-task.
    pub name: &'static str,
    /// What it is called in a CSV file.
    pub heading: &'static str,
    /// What else it is called, in the languages of the page and by other programs: words in small letters, without
    /// accents.
    pub others: &'static str,
    /// Whether it has to be there.
    pub need: Need,
    /// What a cell becomes.
    pub kind: Kind,
    /// What becomes of it where a row leaves it out.
    pub left_out: LeftOut,
    /// How list-tasks tells it; `None` for what is no setting of a task.
    pub listed: Option<Listed>,
}

/// What becomes of a field that a row leaves out.
#[derive(Clone, Copy)]
pub(crate) enum LeftOut {
    /// Nothing: it is left out of the request, too.
    Missing,
    /// It stays as it is; a new task gets this, or has it left out.
    Kept(fn() -> Option<Value>),
}

/// How list-tasks tells a field.
#[derive(Clone, Copy)]
pub(crate) struct Listed {
    /// Its JSON Schema.
    pub schema: fn() -> Value,
    /// Its value.
    pub value: fn(&ListedTask<'_>) -> Value,
}

/// A task and its options.
pub(crate) struct ListedTask<'a> {
    /// The task.
    pub task: &'a Task,
    /// What its file does not hold.
    pub options: Option<&'a Options>,
    /// What was decided about it.
    pub plan: Option<&'a Plan>,
}

impl ListedTask<'_> {
    fn link(&self) -> Option<&SourceLink> {
        self.options?.source.as_ref()
    }
}

impl Column {
    /// What stands for the field where a row leaves it out: what the task has that is edited, or what a new one gets.
    pub(crate) fn default(&self, task: Option<&Task>) -> Option<Value> {
        let LeftOut::Kept(new) = self.left_out else {
            return None;
        };
        match (task, self.listed) {
            (Some(task), Some(listed)) => Some((listed.value)(&ListedTask {
                task,
                options: None,
                plan: None,
            })),
            _ => new(),
        }
    }
}

const fn listed(schema: fn() -> Value, value: fn(&ListedTask<'_>) -> Value) -> Option<Listed> {
    Some(Listed { schema, value })
}

fn text() -> Value {
    json!({"type": "string"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

/// All of them, in the order in which they are named to people.
pub(crate) const COLUMNS: &[Column] = &[
    Column {
        name: "localuser",
        heading: "localusername",
        others: "localuser user mailbox destination destinationuser targetuser target utente utentelocale \
             utentedidestinazione casella destinazione benutzer lokalerbenutzer zielbenutzer ziel \
             postfach utilisateur utilisateurlocal utilisateurdedestination boite usuario usuariolocal \
             usuariodedestino destino buzon samaccountname",
        need: Need::Required,
        kind: Kind::Text,
        left_out: LeftOut::Missing,
        listed: listed(text, |it| it.task.local_user.to_string().into()),
    },
    Column {
        name: "remoteusername",
        heading: "remoteusername",
        others: "remoteuser login loginname username email emailaddress mail mailaddress address source \
             sourceuser sourceusername account userprincipalname upn primarysmtpaddress primaryemail \
             emailaddressrequired indirizzo indirizzoemail posta nomeutente utenteremoto origine \
             benutzername anmeldename emailadresse mailadresse adresse quelle quellbenutzer konto \
             courriel adresseemail adressemail nomdutilisateur identifiant compte correo \
             correoelectronico direccion nombredeusuario cuenta origen",
        need: Need::Required,
        kind: Kind::Text,
        left_out: LeftOut::Missing,
        listed: listed(text, |it| {
            it.link()
                .map_or(&it.task.remote_user, |link| &link.mailbox)
                .to_string()
                .into()
        }),
    },
    Column {
        name: "remotepassword",
        heading: "remotepassword",
        others: "password pass pwd passwd passwordrequired initialpassword parola parolachiave passwort \
             kennwort motdepasse mdp contrasena clave",
        need: Need::UnlessSource,
        kind: Kind::Secret,
        left_out: LeftOut::Missing,
        listed: listed(
            || {
                json!({
                    "description": "Always empty: a password never leaves the state folder.",
                    "type": "string",
                })
            },
            |_| "".into(),
        ),
    },
    Column {
        name: "remotehostname",
        heading: "remotehostname",
        others: "remotehost host hostname server servername imapserver imaphost imap incomingserver \
             incomingmailserver sourceserver serverdiorigine serverimap serverinentrata \
             posteingangsserver quellserver mailserver serveur serveurimap serveurentrant serveursource \
             servidor servidorimap servidorentrante servidordeorigen",
        need: Need::UnlessSource,
        kind: Kind::Text,
        left_out: LeftOut::Missing,
        listed: listed(text, |it| it.task.remote_host.to_string().into()),
    },
    Column {
        name: "remoteport",
        heading: "remoteport",
        others: "port imapport incomingport porta portaimap imapanschluss portimap puerto puertoimap",
        need: Need::UnlessSource,
        kind: Kind::Number,
        left_out: LeftOut::Missing,
        listed: listed(text, |it| it.task.remote_port.to_string().into()),
    },
    Column {
        name: "security",
        heading: "security",
        others: "encryption ssl tls ssltls connectionsecurity connectiontype sockettype sicurezza \
             crittografia cifratura sicherheit verschlusselung verbindungssicherheit securite chiffrement \
             seguridad cifrado",
        need: Need::UnlessSource,
        kind: Kind::Security,
        left_out: LeftOut::Missing,
        listed: listed(
            || json!({"type": "string", "enum": ["", "tls", "ssl"]}),
            |it| it.task.security.as_str().into(),
        ),
    },
    Column {
        name: "foldersynchronization",
        heading: "foldersynchronization",
        others: "folders cartelle ordner dossiers carpetas",
        need: Need::Optional,
        kind: Kind::Word,
        left_out: LeftOut::Kept(|| Some(FolderMode::All.as_str().into())),
        listed: listed(
            || json!({"type": "string", "enum": ["all", "inbox", "exclusion"]}),
            |it| it.task.folders.as_str().into(),
        ),
    },
    Column {
        name: "exclude",
        heading: "exclude",
        others: "escludi ausschliessen exclure excluir",
        need: Need::Optional,
        kind: Kind::Text,
        left_out: LeftOut::Kept(|| Some("".into())),
        listed: listed(text, |it| it.task.exclusions.as_stored().into()),
    },
    Column {
        name: "cron",
        heading: "cron",
        others: "schedule pianificazione zeitplan planification programacion",
        need: Need::Optional,
        kind: Kind::Text,
        left_out: LeftOut::Kept(|| Some("".into())),
        listed: listed(text, |it| {
            let schedule = it.task.schedule.map(|schedule| schedule.to_string());
            schedule.unwrap_or_default().into()
        }),
    },
    Column {
        name: "delete_local",
        heading: "delete_local",
        others: "",
        need: Need::Optional,
        kind: Kind::Flag,
        left_out: LeftOut::Kept(|| Some(false.into())),
        listed: listed(flag, |it| it.task.delete_local.into()),
    },
    Column {
        name: "delete_remote",
        heading: "delete_remote",
        others: "",
        need: Need::Optional,
        kind: Kind::Flag,
        left_out: LeftOut::Kept(|| Some(false.into())),
        listed: listed(flag, |it| it.task.delete_remote.deletes().into()),
    },
    Column {
        name: "delete_remote_older",
        heading: "delete_remote_older",
        others: "",
        need: Need::Optional,
        kind: Kind::Number,
        left_out: LeftOut::Kept(|| None),
        listed: listed(
            || json!({"type": "integer", "format": "uint32", "minimum": 0}),
            |it| it.task.delete_remote.days().into(),
        ),
    },
    Column {
        name: "sieve_enabled",
        heading: "sieve_enabled",
        others: "sieve",
        need: Need::Optional,
        kind: Kind::Flag,
        left_out: LeftOut::Kept(|| None),
        listed: listed(flag, |it| it.task.sieve.into()),
    },
    Column {
        name: "as_it_arrives",
        heading: "as_it_arrives",
        others: "idle push",
        need: Need::Optional,
        kind: Kind::Flag,
        left_out: LeftOut::Missing,
        listed: listed(
            || {
                json!({
                    "description": "Whether the remote server is listened to, and a run begins as soon as mail arrives there.",
                    "type": "boolean",
                })
            },
            |it| it.options.is_some_and(|options| options.as_it_arrives).into(),
        ),
    },
    Column {
        name: "bandwidth",
        heading: "bandwidth",
        others: "",
        need: Need::Optional,
        kind: Kind::Number,
        left_out: LeftOut::Missing,
        listed: listed(
            || {
                json!({
                    "description": "How many KiB a second its runs may pull; 0 is no limit.",
                    "type": "integer", "format": "uint32", "minimum": 0,
                })
            },
            |it| Bandwidth::kib(it.plan.and_then(|plan| plan.bandwidth)).into(),
        ),
    },
    Column {
        name: "source",
        heading: "source",
        others: "sourceid",
        need: Need::Optional,
        kind: Kind::Text,
        left_out: LeftOut::Missing,
        listed: listed(
            || {
                json!({
                    "description": "The source that says where the remote server is and how to sign in there; then \
                                    remoteusername is the mailbox.",
                    "type": ["string", "null"],
                })
            },
            |it| it.link().map(|link| link.id.to_string()).into(),
        ),
    },
    Column {
        name: "task_id",
        heading: "task_id",
        others: "",
        need: Need::Optional,
        kind: Kind::Text,
        left_out: LeftOut::Missing,
        listed: listed(text, |it| it.task.id.to_string().into()),
    },
    Column {
        name: "start",
        heading: "start",
        others: "",
        need: Need::Optional,
        kind: Kind::Flag,
        left_out: LeftOut::Missing,
        listed: None,
    },
];

/// What is true is called, in the languages of the page.
pub(crate) const TRUE_WORDS: &str = "true yes 1 y on x ja wahr j si sì sí s vero verdadero oui o vrai";

/// What is false is called.
pub(crate) const FALSE_WORDS: &str = "false no 0 n off nein falsch falso non faux";

/// What the ways to protect a connection are called, in letters.
pub(crate) const SECURITY_WORDS: [(&str, &str); 3] = [
    ("ssl", "ssl imaps ssltls sslimaps tlsssl implicit ssltlsimplicit"),
    ("tls", "tls starttls tlsstarttls"),
    (
        "",
        "none no plain nessuna nessuno keine aucun aucune ninguna ninguno",
    ),
];

/// The headings of those columns that are needed, or of those that are not.
pub(crate) fn headings(needed: bool) -> Vec<&'static str> {
    let columns = COLUMNS.iter();
    let columns = columns.filter(|column| (column.need != Need::Optional) == needed);
    columns.map(|column| column.heading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::fields::TaskFields;

    /// Fields that a row of a file does not hold: what they are cannot stand in a cell, or concerns one task.
    const NO_COLUMN: [&str; 3] = ["certificate", "confirm_certificate", "folder_options"];

    #[test]
    fn every_field_of_create_task_is_a_column_or_said_to_be_none() {
        let schema = serde_json::to_value(schemars::schema_for!(TaskFields)).unwrap();
        let mut fields: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        columns.extend(NO_COLUMN);
        fields.sort_unstable();
        columns.sort_unstable();
        assert_eq!(fields, columns);
    }
}
