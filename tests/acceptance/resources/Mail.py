# SPDX-License-Identifier: GPL-3.0-or-later
"""A mailbox over IMAP: the same in the sandbox and on a real node."""

import base64
import contextlib
import imaplib
import re
import ssl
import time

LIST = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?P<separator>.)"|NIL) (?P<name>.*)')


def decoded(name):
    """Modified UTF-7 (RFC 3501, 5.1.3) as text."""

    def part(match):
        text = match.group(1).replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be") if text else "&"

    return re.sub("&([^-]*)-", part, name)


def encoded(name):
    """Text as modified UTF-7."""

    def part(match):
        text = match.group(0)
        if text == "&":
            return "&-"
        octets = base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=")
        return f"&{octets.replace('/', ',')}-"

    return re.sub("&|[^\x20-\x7e]+", part, name)


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextlib.contextmanager
def session(account):
    context = ssl.create_default_context()
    if not account["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if account["security"] == "ssl":
        imap = imaplib.IMAP4_SSL(account["host"], account["port"], ssl_context=context, timeout=60)
    else:
        imap = imaplib.IMAP4(account["host"], account["port"], timeout=60)
    try:
        if account["security"] == "tls":
            imap.starttls(context)
        imap.login(account["user"], account["password"])
        yield imap
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            imap.logout()


def ok(answer):
    status, data = answer
    if status != "OK":
        raise AssertionError(f"the IMAP server says {status} {data}")
    return data


def folders(imap):
    """(name on the wire, name with levels separated by /, selectable)."""
    found = []
    for line in ok(imap.list()):
        if line is None:
            continue
        if isinstance(line, tuple):
            line = line[0].rsplit(b"{", 1)[0] + line[1]
        match = LIST.match(line)
        name = match["name"].decode()
        if name.startswith('"'):
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        plain = decoded(name)
        separator = (match["separator"] or b"/").decode()
        found.append((name, plain.replace(separator, "/"), b"noselect" not in match["flags"].lower()))
    return found


def separator(imap):
    match = LIST.match(ok(imap.list('""', '""'))[0])
    return (match["separator"] or b"/").decode()


def deliver(account, prefix, count, folder, flags, days_old):
    with session(account) as imap:
        name = encoded(folder.replace("/", separator(imap)))
        if folder != "INBOX":
            imap.create(quoted(name))
        date = time.time() - days_old * 86400
        for number in range(count):
            lines = [
                "From: Sender <sender@suite.test>",
                "To: Recipient <recipient@suite.test>",
                f"Subject: {prefix} {number}",
                f"Message-Id: <{prefix}-{number}@suite.test>",
                f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(date))}",
                "",
                f"Message {number} of {prefix}.",
                "",
            ]
            text = "\r\n".join(lines).encode()
            ok(imap.append(quoted(name), f"({flags})", imaplib.Time2Internaldate(date), text))


def read(account):
    """{folder: {message id: sorted flags}}"""
    mailbox = {}
    with session(account) as imap:
        for name, plain, selectable in folders(imap):
            if not selectable:
                continue
            messages = mailbox.setdefault(plain, {})
            if int(ok(imap.select(quoted(name), readonly=True))[0]) == 0:
                continue
            data = ok(imap.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))
            for part in data:
                if not isinstance(part, tuple):
                    continue
                ident = re.search(rb"<[^>]*>", part[1])
                flags = [flag.decode() for flag in imaplib.ParseFlags(part[0]) if flag != b"\\Recent"]
                key = ident.group(0).decode() if ident else "(none)"
                # A message that is there twice must not look like one.
                while key in messages:
                    key += " again"
                messages[key] = sorted(flags)
    return mailbox


def expunge(account, folder, ident):
    with session(account) as imap:
        ok(imap.select(quoted(encoded(folder.replace("/", separator(imap))))))
        for number in ok(imap.search(None, "HEADER", "Message-Id", quoted(ident)))[0].split():
            ok(imap.store(number, "+FLAGS", "(\\Deleted)"))
        ok(imap.expunge())


def empty(account):
    """Deletes every folder and message of the mailbox."""
    with session(account) as imap:
        names = [name for name, _, _ in folders(imap) if name.upper() != "INBOX"]
        for name in sorted(names, key=len, reverse=True):
            # Folders of the server's own, such as shared ones, stay.
            imap.delete(quoted(name))
        if int(ok(imap.select("INBOX"))[0]) > 0:
            ok(imap.store("1:*", "+FLAGS", "(\\Deleted)"))
            ok(imap.expunge())
