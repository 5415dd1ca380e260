"""pymap's dictionary backend behind a listening socket. The only file that knows pymap.

Filled directly: its own `append` parses every message (1.6 s for 2,000), and over a connection takes 42 ms each.
Its quirks: no UNSELECT, CLOSE fails after EXAMINE.
"""

import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet, Message
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.mime import MessageBody, MessageContent, MessageHeader
from pymap.parsing.specials import Flag
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

from inboxstats.demo.mailbox import DemoMessage


@asynccontextmanager
async def listening(messages: Sequence[DemoMessage], host: str, user: str, password: str) -> AsyncIterator[int]:
    """Serves the messages on a free port, which it gives, until the context ends; then closes every connection."""
    config = _Config(
        Namespace(proxy_protocol=None),
        demo_data=False,
        demo_user=user,
        demo_password=password,
        host=host,
        port=0,
        tls_enabled=False,
        ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),  # else it reads CERT_FILE from the environment
        hash_context=Cleartext(),
        cpu_subsystem=Subsystem.for_asyncio(),  # else a thread pool, to hash one password
    )
    login = Login(config)
    await login.demo_user_identity.set(UserMetadata(config, user, password=password))
    config.set_cache[user] = (_Mailboxes(messages), FilterSet())
    imap = IMAPServer(login, config)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await imap(reader, writer, SocketInfo.get(writer, None))

    server = await asyncio.start_server(connected, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await _end(asyncio.all_tasks() - {asyncio.current_task()})


async def _end(connections: Iterable["asyncio.Task[None] | None"]) -> None:
    tasks = [task for task in connections if task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # a transport closes its socket in the loop's next round


class _Config(Config):
    greeting = b"The demo's server is ready"
    """pymap's own looks up this machine's name, which can take seconds."""


class _Mailboxes(MailboxSet):
    def __init__(self, messages: Iterable[DemoMessage]) -> None:
        super().__init__()
        by_name = sorted(messages, key=lambda message: message.mailbox)
        for name, group in groupby(by_name, key=lambda message: message.mailbox):
            mailbox = _Mailbox(self._content_cache, self._thread_cache)
            mailbox.fill(group)
            if name == "INBOX":
                self._inbox = mailbox
            else:
                self._set[name] = mailbox


class _Mailbox(MailboxData):
    def fill(self, messages: Iterable[DemoMessage]) -> None:
        """UIDs from 1 in the order given."""
        for uid, message in enumerate(messages, start=1):
            flags = [Flag(flag) for flag in message.flags]
            self._messages[uid] = Message(uid, message.internal_date, flags, content=_unparsed(message.data))
        self._max_uid = len(self._messages)


def _unparsed(data: bytes) -> MessageContent:
    """A message that can be asked for as a whole, and for its size, but not for its parts."""
    header = MessageHeader(data, [(0, 0, 0)], [])
    body = MessageBody(data, [(0, len(data), len(data))], MessageBody.empty().content_type, [])
    return MessageContent(data, header, body)
