# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mailbox of 100,000 messages tells in one flight after a few were deleted and marked: by QRESYNC, and by the two
questions that this program asks instead. Medians, in the order sent."""

import statistics
import time

import Mail
import Node

MESSAGES = 100_000
ROUNDS = 21
FOLDER = "Large"


def fill(account):
    with Mail.session(account) as imap:
        Mail.ok(imap.create(FOLDER))
        message = b"Subject: x\r\n\r\nx\r\n"
        part = b" {%d+}\r\n%s" % (len(message), message)
        for _ in range(MESSAGES // 1000):
            imap.send(b"f APPEND %s%s\r\n" % (FOLDER.encode(), part * 1000))
            while not imap.readline().startswith(b"f OK"):
                pass


def exchange(account, enable, commands):
    """Milliseconds and octets of the answers, in a new session each time, as each run has one."""
    times, octets = [], 0
    for _ in range(ROUNDS):
        with Mail.session(account) as imap:
            imap.send(b"e ENABLE %s\r\n" % enable)
            while not imap.readline().startswith(b"e OK"):
                pass
            started = time.perf_counter()
            imap.send(b"".join(b"q%d %s\r\n" % pair for pair in enumerate(commands)))
            last, octets = b"q%d OK" % (len(commands) - 1), 0
            line = b""
            while not line.startswith(last):
                line = imap.readline()
                octets += len(line)
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), octets


def main():
    node = Node.Sandbox()
    node.install()
    try:
        account = node.account("remote")
        fill(account)
        with Mail.session(account) as imap:
            Mail.ok(imap.select(FOLDER))
            imap.send(b"s STATUS %s (UIDVALIDITY HIGHESTMODSEQ)\r\n" % FOLDER.encode())
            words = []
            while not words or words[0] != b"s":
                words = imap.readline().replace(b"(", b" ").replace(b")", b" ").split()
                if b"HIGHESTMODSEQ" in words:
                    validity = words[words.index(b"UIDVALIDITY") + 1]
                    modseq = words[words.index(b"HIGHESTMODSEQ") + 1]
            Mail.ok(imap.store("100:150", "+FLAGS", "(\\Seen)"))
            Mail.ok(imap.store("5000,7000:7009,90000", "+FLAGS", "(\\Deleted)"))
            Mail.ok(imap.expunge())
        folder = FOLDER.encode()
        ways = {
            "QRESYNC": (b"QRESYNC", [b"EXAMINE %s (QRESYNC (%s %s))" % (folder, validity, modseq)]),
            "CHANGEDSINCE and SEARCH": (
                b"CONDSTORE",
                [
                    b"EXAMINE %s" % folder,
                    b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %s)" % modseq,
                    b"UID SEARCH RETURN (ALL) ALL",
                ],
            ),
        }
        for name, (enable, commands) in ways.items():
            took, octets = exchange(account, enable, commands)
            print(f"{name}: {took:.1f} ms, {octets} octets")
    finally:
        node.remove()


if __name__ == "__main__":
    main()
