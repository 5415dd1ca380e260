"""Who takes part in the comparison of downloads, and how each is called."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

USER = PASSWORD = "bench"


@dataclass(frozen=True, slots=True)
class Place:
    """A server at the end of a link, and an empty folder for what comes from there.

    through -- what runs a program where the link begins, such as ``ip netns exec NAME``
    """

    host: str
    port: int
    folder: Path
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contender:
    """A program; `most` messages of the mailbox where all would take hours: its time is then scaled."""

    name: str
    command: Callable[[Place, int | None], Sequence[str]]
    most: int | None = None


def _ours(place: Place, _: int | None) -> Sequence[str]:
    secret = place.folder / "password"
    secret.write_text(PASSWORD)
    return [
        *(sys.executable, "-m", "inboxstats", "fetch", "--host", place.host, "--port", str(place.port)),
        *(
            "--user",
            USER,
            "--security",
            "none",
            "--insecure",
            "--password-command",
            f"cat {secret}",
            "--archive",
            str(place.folder / "archive"),
        ),
        *("--quiet", "--no-progress"),
    ]


def _script(path: str) -> Callable[[Place, int | None], Sequence[str]]:
    def command(place: Place, most: int | None) -> Sequence[str]:
        which = [sys.executable, str(HERE / path), place.host, str(place.port), USER, PASSWORD, str(place.folder)]
        return which if most is None else [*which, str(most)]

    return command


def _mbsync(extra: str) -> Callable[[Place, int | None], Sequence[str]]:
    def command(place: Place, _: int | None) -> Sequence[str]:
        config = place.folder / "mbsyncrc"
        mail = place.folder / "mail"
        mail.mkdir()
        config.write_text(
            f"FSync no\nIMAPAccount a\nHost {place.host}\nPort {place.port}\nUser {USER}\nPass {PASSWORD}\n"
            f"SSLType None\nAuthMechs LOGIN\n{extra}\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {mail}/\n"
            f"Inbox {mail}/INBOX\n\nChannel c\nFar :far:\nNear :near:\nPatterns INBOX\nSync Pull\nCreate Near\n"
            "SyncState *\n"
        )
        return ["mbsync", "-c", str(config), "c"]

    return command


def contenders(count: int) -> list[Contender]:
    """Who takes part."""
    found = [
        Contender("ours", _ours),
        Contender("limit", _script("limit.py")),
        Contender("ten threads", _script("article/ten_threads.py")),
        Contender("one by one", _script("article/one_by_one.py"), most=min(count, 200)),
    ]
    if shutil.which("mbsync"):
        found.append(Contender("mbsync", _mbsync("DisableExtension COMPRESS=DEFLATE\n")))
        found.append(Contender("mbsync compressed", _mbsync("")))
    return found
