"""Which mailboxes a digest leaves aside: junk, trash and drafts are no news.

By the special uses that the server tells (RFC 6154), else by the names that servers without them give.
"""

import pyarrow as pa
import pyarrow.compute as pc

from inboxstats.collection import Collection
from inboxstats.mail import Mailbox

SPECIAL_USES = frozenset({"\\Junk", "\\Trash", "\\Drafts"})

NAMES = frozenset(
    {"junk", "junk e-mail", "junk email", "spam", "bulk mail", "trash", "deleted items", "deleted messages", "drafts"}
)


def is_aside(mailbox: Mailbox) -> bool:
    """Whether it is for junk, trash or drafts; a mailbox below such a one is, too."""
    if {attribute.lower() for attribute in mailbox.attributes} & {use.lower() for use in SPECIAL_USES}:
        return True
    parts = mailbox.name.split(mailbox.delimiter) if mailbox.delimiter else [mailbox.name]
    return any(part.lower() in NAMES for part in parts)


def without_aside(rows: pa.Table, collection: Collection) -> pa.Table:
    """The rows of the other mailboxes."""
    for account, source in collection.sources:
        names = [mailbox.name for mailbox in source.mailboxes() if is_aside(mailbox)]
        if names:
            here = pc.equal(pc.fill_null(rows["account"], ""), account or "")
            named = pc.is_in(rows["mailbox"], value_set=pa.array(names, pa.string()))
            rows = rows.filter(pc.invert(pc.and_(here, named)))
    return rows
