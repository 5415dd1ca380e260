"""Made-up mail in the sizes that real mailboxes have: much text, some HTML, a few large attachments. Seeded."""

import base64
from collections.abc import Iterator
from random import Random

WORDS = (
    "the report of last week and a note on what we spoke about please find attached minutes for your review before "
    "friday as agreed budget meeting project office holiday invoice order delivery thanks regards team plan change"
).split()


def messages(count: int, seed: int = 2026) -> Iterator[bytes]:
    """So many messages, 41 KB on average; the same on every machine."""
    rng = Random(seed)
    for number in range(1, count + 1):
        head = (
            f"From: Ann <ann{rng.randrange(200)}@example.com>\r\nTo: me@example.org\r\n"
            f"Subject: {' '.join(rng.choices(WORDS, k=5))}\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\n"
            f"Message-ID: <{number}@example.com>\r\nMIME-Version: 1.0\r\n"
        )
        kind = rng.random()
        if kind < 0.7:
            body = f"Content-Type: text/plain\r\n\r\n{_text(rng, rng.randrange(100, 1500))}"
        elif kind < 0.9:
            cells = "".join(
                f"<td style='padding:10px'>{_text(rng, 8)}</td>\r\n" for _ in range(rng.randrange(300, 800))
            )
            body = f"Content-Type: text/html\r\n\r\n<table><tr>{cells}</tr></table>\r\n"
        else:
            size = rng.randrange(1_500_000, 3_500_000) if kind > 0.998 else rng.randrange(20_000, 322_000)
            file = base64.encodebytes(rng.randbytes(size)).decode().replace("\n", "\r\n")
            body = (
                'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n'
                f"{_text(rng, 100)}--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; "
                f'filename="{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n{file}--b--\r\n'
            )
        yield f"{head}{body}".encode()


def _text(rng: Random, count: int) -> str:
    words = rng.choices(WORDS, k=count)
    return "".join(" ".join(words[start : start + 12]) + "\r\n" for start in range(0, count, 12))
