"""inboxstats: what an inbox is made of.

For data scientists:

    import inboxstats
    messages = inboxstats.open_archive().messages()
    messages.groupby("sender").size().nlargest(10)
"""

import os
from typing import TYPE_CHECKING

from inboxstats.version import __version__

if TYPE_CHECKING:  # heavy, and the command line says --help without it
    from inboxstats.collection import Collection

__all__ = ["__version__", "open_archive"]


def open_archive(path: str | os.PathLike[str] | None = None) -> "Collection":
    """The mail at a path: an archive, a Maildir, an mbox, or a tree of .eml files. ``~`` is the home folder.

    Without a path, the archive that ``inboxstats fetch`` fills: that of config.toml, else the default one.
    ``.messages()`` of it is a DataFrame; docs/schema.md says what its columns are.

    Raises `errors.UsageError` where there is no mail or config.toml is wrong, `errors.StorageError` where it may not be
    read, `errors.ArchiveDamagedError`.
    """
    from pathlib import Path

    from inboxstats import config
    from inboxstats.collection import open_collection
    from inboxstats.parse import Limits

    configuration = config.read(config.default_path())
    if path is None:
        path = config.default_archive(configuration)
    return open_collection(Path(path).expanduser(), Limits(**configuration.parse.given()))
