"""The corpora of real mail, which are no part of this repository: INBOXSTATS_CORPORA names the folder that holds them.

dev-corpus.tar.xz, dev-torture.tar.xz     the messages, corpus/SET/NAME.eml and torture/SET/NAME.eml
truth-corpus.json, truth-messages.tsv.xz  what other programs counted in the corpus
expected-torture.json, torture.tsv        what other libraries' tests expect of the torture set
"""

import fcntl
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "INBOXSTATS_CORPORA"
ARCHIVES = ("dev-corpus.tar.xz", "dev-torture.tar.xz")


@dataclass(frozen=True, slots=True)
class Corpora:
    """`folder` is as published, with the truth; `unpacked` has the messages."""

    folder: Path
    unpacked: Path

    @property
    def corpus(self) -> Path:
        """10,900 messages in three sets, with LF line ends."""
        return self.unpacked / "corpus"

    @property
    def torture(self) -> Path:
        """511 odd messages in 13 sets, as their sources have them."""
        return self.unpacked / "torture"

    def messages(self, *, every: int = 1) -> dict[str, bytes]:
        """The corpus's messages, or one in so many, by their name in the truth: ``"spamassassin/NAME.eml"``."""
        paths = sorted(self.corpus.glob("*/*.eml"))[::every]
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}


def corpora_folder() -> Path | None:
    """The folder that the environment names; ``None`` where it names none."""
    named = os.environ.get(VARIABLE)
    return Path(named).resolve() if named else None


def unpack(folder: Path, into: Path) -> Corpora:
    """The corpora, unpacked by whichever process comes first; any other waits for it.

    Raises FileNotFoundError where an archive is not in the folder.
    """
    into.mkdir(parents=True, exist_ok=True)
    with open(into / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ARCHIVES:
            done = into / f"{name}.done"
            if not done.exists():
                with tarfile.open(folder / name) as archive:
                    # Python 3.11.3 and older have no filters; from 3.12 on, none is a warning.
                    archive.extraction_filter = getattr(tarfile, "data_filter", None)
                    archive.extractall(into)
                done.touch()
    return Corpora(folder, into)
