"""An account of our own archive as a source: what was fetched, for the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from inboxstats.archive import Archive, MailboxFolder
from inboxstats.mail import HeaderLocation, Location, Mailbox, MessageInfo, MessageKey
from inboxstats.sources.local import distinct, read_messages


class ArchivedAccount:
    """The mailboxes of one account, with those of former UIDVALIDITYs and those that the server no longer has."""

    def __init__(self, archive: Archive, account: str) -> None:
        self._folders: dict[str, MailboxFolder] = {}
        # Two have one name where their mailbox.json is lost and the name was too long for a folder.
        for folder in sorted(archive.mailboxes(account), key=lambda each: (each.mailbox.name, each.path)):
            self._folders[distinct(folder.mailbox.name, self._folders)] = folder

    def mailboxes(self) -> list[Mailbox]:
        return [replace(folder.mailbox, name=name) for name, folder in self._folders.items()]

    def folder(self, mailbox: Mailbox) -> MailboxFolder:
        """The archive's folder of a mailbox."""
        return self._folders[mailbox.name]

    def listing(self, mailbox: Mailbox) -> Mapping[MessageKey, MessageInfo]:
        """Every stored message; what the server last said of it, where it said so."""
        listed = self.folder(mailbox).listed()
        return {key: listed.get(key) or MessageInfo(key) for key in self.locations(mailbox)}

    def fetch(self, mailbox: Mailbox, keys: Sequence[MessageKey]) -> Iterator[tuple[MessageKey, bytes]]:
        return read_messages(self, mailbox, keys)

    def locations(self, mailbox: Mailbox) -> Mapping[MessageKey, Location]:
        return self.folder(mailbox).locations()

    def headers(self, mailbox: Mailbox) -> Mapping[MessageKey, HeaderLocation]:
        """What is known of messages whose text had not arrived when it was asked."""
        return self.folder(mailbox).headers.locations()
