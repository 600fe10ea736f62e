# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server with mail in memory: twisted_server.py PORT USER PASSWORD."""

import email.utils
import io
import sys

from twisted.cred import checkers, portal
from twisted.internet import defer, protocol, reactor
from twisted.mail import imap4
from zope.interface import implementer


@implementer(imap4.IMessage, imap4.IMessageFile)
class Message:
    """A message: its octets, its flags, its date."""

    def __init__(self, uid, octets, flags, date):
        self.uid, self.octets, self.flags, self.date = uid, octets, list(flags), date

    def getUID(self):
        return self.uid

    def getFlags(self):
        return self.flags

    def getInternalDate(self):
        return self.date

    def getSize(self):
        return len(self.octets)

    def open(self):
        return io.BytesIO(self.octets)

    def isMultipart(self):
        return False

    def getSubPart(self, part):
        raise IndexError(part)

    def getBodyFile(self):
        return io.BytesIO(self.octets.partition(b"\r\n\r\n")[2])

    def getHeaders(self, negate, *names):
        wanted = {name.lower() if isinstance(name, str) else name.decode().lower() for name in names}
        headers, last = {}, None
        for line in self.octets.partition(b"\r\n\r\n")[0].decode("ascii", "replace").split("\r\n"):
            # Twisted gives headers out in ASCII, or ends the connection.
            line = line.replace("\ufffd", "?")
            if line[:1] in " \t" and last:
                headers[last] += "\r\n" + line
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                headers[last] = value.strip()
        return {name: value for name, value in headers.items() if (name in wanted) != negate}


@implementer(imap4.IMailbox)
class Mailbox:
    """A folder."""

    validity = 1000

    def __init__(self):
        Mailbox.validity += 1
        self.validity, self.messages, self.next, self.listeners = Mailbox.validity, [], 1, []

    def getUIDValidity(self):
        return self.validity

    def getUIDNext(self):
        return self.next

    def getUID(self, number):
        return self.messages[number - 1].uid

    def getMessageCount(self):
        return len(self.messages)

    def getRecentCount(self):
        return 0

    def getUnseenCount(self):
        return sum("\\Seen" not in message.flags for message in self.messages)

    def isWriteable(self):
        return True

    def destroy(self):
        self.messages = []

    def requestStatus(self, names):
        return imap4.statusRequestHelper(self, names)

    def getFlags(self):
        return ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "\\*"]

    def getHierarchicalDelimiter(self):
        return "/"

    def addListener(self, listener):
        self.listeners.append(listener)

    def removeListener(self, listener):
        self.listeners.remove(listener)

    def addMessage(self, message, flags=(), date=None):
        octets = message.read()
        flags = [flag.decode() if isinstance(flag, bytes) else flag for flag in flags]
        date = date.decode() if isinstance(date, bytes) else date or email.utils.formatdate()
        self.messages.append(Message(self.next, octets, flags, date))
        self.next += 1
        for listener in self.listeners:
            listener.newMessages(len(self.messages), None)
        return defer.succeed(self.next - 1)

    def chosen(self, messages, uid):
        if not self.messages:
            return []
        messages.last = self.messages[-1].uid if uid else len(self.messages)
        numbers = enumerate(self.messages, 1)
        return [(at, message) for at, message in numbers if (message.uid if uid else at) in messages]

    def fetch(self, messages, uid):
        return self.chosen(messages, uid)

    def store(self, messages, flags, mode, uid):
        result = {}
        for at, message in self.chosen(messages, uid):
            if mode == 0:
                message.flags = list(flags)
            elif mode == 1:
                message.flags += [flag for flag in flags if flag not in message.flags]
            else:
                message.flags = [flag for flag in message.flags if flag not in flags]
            result[at] = message.flags
        return result

    def expunge(self):
        gone = [message.uid for message in self.messages if "\\Deleted" in message.flags]
        self.messages = [message for message in self.messages if "\\Deleted" not in message.flags]
        return gone


@implementer(imap4.IAccount)
class Account:
    """All folders of the person. Only the inbox has a name without regard to case."""

    def __init__(self):
        self.folders = {"INBOX": Mailbox()}

    def path(self, name):
        return "INBOX" if name.upper() == "INBOX" else name

    def addMailbox(self, name, mailbox=None):
        if self.path(name) in self.folders:
            raise imap4.MailboxCollision(name)
        self.folders[self.path(name)] = mailbox or Mailbox()
        return True

    def create(self, name):
        levels = name.split("/")
        for depth in range(1, len(levels)):
            self.folders.setdefault("/".join(levels[:depth]), Mailbox())
        return self.addMailbox(name)

    def select(self, name, rw=True):
        return self.folders.get(self.path(name))

    def delete(self, name):
        if self.path(name) not in self.folders:
            raise imap4.MailboxException("no such folder")
        del self.folders[self.path(name)]

    def rename(self, old, new):
        self.folders[new] = self.folders.pop(self.path(old))

    def isSubscribed(self, name):
        return True

    def subscribe(self, name):
        return True

    def unsubscribe(self, name):
        return True

    def listMailboxes(self, reference, wildcard):
        pattern = imap4.wildcardToRegexp(reference + wildcard, "/")
        return [(name, folder) for name, folder in self.folders.items() if pattern.match(name)]


account = Account()


@implementer(portal.IRealm)
class Realm:
    """Everyone who logs in gets the one account there is."""

    def requestAvatar(self, name, mind, *interfaces):
        return imap4.IAccount, account, lambda: None


class Factory(protocol.ServerFactory):
    """Makes a server for each connection."""

    def buildProtocol(self, address):
        server = imap4.IMAP4Server()
        server.portal = portal.Portal(Realm(), [self.checker])
        server.factory = self
        return server


Factory.checker = checkers.InMemoryUsernamePasswordDatabaseDontUse()
Factory.checker.addUser(sys.argv[2].encode(), sys.argv[3].encode())
reactor.listenTCP(int(sys.argv[1]), Factory(), interface="127.0.0.1")
reactor.run()
