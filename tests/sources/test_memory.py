"""How much memory a download takes at its highest, in a process of its own against a real Dovecot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from servers.dovecot import Dovecot
from servers.raw import Login

PROGRAM = """
import json, sys
from pathlib import Path

from inboxstats.archive import MailboxFolder
from inboxstats.archive.layout import message_key
from inboxstats.download import Wanted, download
from inboxstats.mail import Mailbox, MessageInfo
from inboxstats.sources.imap import ImapSource, Server

port, user, password, path, count, size = sys.argv[1:]
folder = MailboxFolder(Path(path), Mailbox("INBOX"), fsync=False)
folder.note_name()
infos = [MessageInfo(message_key(1700000000, uid), size=int(size)) for uid in range(1, int(count) + 1)]
connections = [ImapSource(Server("127.0.0.1", int(port), user, "none"), password) for _ in range(8)]
done = download([Wanted(folder, {info.key: info for info in infos})], connections, progress=lambda *_: None)
high = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
print(json.dumps({"stored": done.stored, "bytes": done.bytes, "peak": int(high.split()[1]) * 1024}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("count", "size"), [(1, 100_000_000), (600, 250_000)])
def test_memory_stays_flat(dovecot: Dovecot, dovecot_user: Login, tmp_path: Path, count: int, size: int) -> None:
    text = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * (size // 16) + b"\r\n"
    dovecot.fill(dovecot_user, "INBOX", (text for _ in range(count)))
    arguments = [str(dovecot.port), dovecot_user.user, dovecot_user.password, str(tmp_path / "INBOX"), str(count)]
    command = [sys.executable, "-c", PROGRAM, *arguments, str(size)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout)
    assert (told["stored"], told["bytes"]) == (count, count * len(text))
    assert told["peak"] < 50_000_000
    for stored in (tmp_path / "INBOX").rglob("*.eml"):
        assert stored.stat().st_size == len(text)
    assert next((tmp_path / "INBOX").rglob("1.eml")).read_bytes() == text
