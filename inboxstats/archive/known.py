"""Which contents a mailbox has: SHA-256 to UID, in 36 bytes a message, as a mailbox may have a million of them."""

import struct

_PREFIX = 2
_ENTRY = struct.Struct(f"={32 - _PREFIX}sI")


class KnownDigests:
    """The UID of each content; of two with one content, the first."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        self.highest = 0

    def uid(self, digest: bytes) -> int | None:
        """The UID of a content, ``None`` where it is new."""
        bucket = self._buckets.get(digest[:_PREFIX], b"")
        place = bucket.find(digest[_PREFIX:])
        while place % _ENTRY.size and place >= 0:  # the bytes of two neighbours
            place = bucket.find(digest[_PREFIX:], place + 1)
        return None if place < 0 else int(_ENTRY.unpack_from(bucket, place)[1])

    def add(self, digest: bytes, uid: int) -> None:
        """One more message."""
        self.highest = max(self.highest, uid)
        if self.uid(digest) is None:
            self._buckets.setdefault(digest[:_PREFIX], bytearray()).extend(_ENTRY.pack(digest[_PREFIX:], uid))
