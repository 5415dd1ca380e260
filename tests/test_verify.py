"""What a run of verify leaves as its exit code. What it does: tests/archive and tests/cli."""

import pytest

from inboxstats.archive.verify import Checked, Finding, Kind
from inboxstats.errors import ExitCode, NetworkError, TLSError
from inboxstats.mail import MessageKey
from inboxstats.verify import Compared, Online, Verified

WHOLE = Checked("INBOX", messages=3)
DAMAGED = Checked("Sent", findings=[Finding(Kind.MISSING, "Sent", MessageKey("7-1"), "1.eml", "is not there")])
DENIED = Checked("Drafts", denied=[("1.eml", "Permission denied")])
AGREES = Compared("INBOX", listed=4, missing=(), new=1, sizes=(MessageKey("7-2"),), gone=9)
LACKS = Compared("INBOX", listed=4, missing=(MessageKey("7-4"),), new=0, sizes=(), gone=0)


@pytest.mark.parametrize(
    ("mailboxes", "online", "code"),
    [
        ((WHOLE,), None, ExitCode.DONE),
        ((WHOLE,), Online([AGREES], absent=["Old"]), ExitCode.DONE),
        ((WHOLE,), Online([LACKS]), ExitCode.PARTLY),
        ((WHOLE,), Online([AGREES], troubles=[("Sent", "NO")]), ExitCode.PARTLY),
        ((WHOLE, DENIED), Online([LACKS]), ExitCode.STORAGE),
        ((WHOLE, DENIED), Online(error=NetworkError("gone")), ExitCode.NETWORK),
        ((WHOLE, DENIED, DAMAGED), Online(error=TLSError("expired")), ExitCode.DAMAGED),
    ],
)
def test_the_exit_code_tells_the_worst(mailboxes: tuple[Checked, ...], online: Online | None, code: ExitCode) -> None:
    assert Verified("me", mailboxes, online).exit_code == code
