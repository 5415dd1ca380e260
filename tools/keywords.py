"""Writes the figures of docs/keywords.md: what each step of cleaning takes away from real mail, and what it leaves.

    INBOXSTATS_CORPORA=FOLDER .venv/bin/python tools/keywords.py

The steps are the program's own functions, switched on one after the other. That all of them together give what `parse`
gives is checked for each message, so that the figures cannot drift away from the program.
"""

import os
import re
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pandas as pd

from inboxstats.collection import open_collection
from inboxstats.dataset import select
from inboxstats.mail import Message
from inboxstats.parse import message as parser
from inboxstats.parse import own, parse, text, words
from inboxstats.parse.charset import decode
from inboxstats.parse.languages import stop_words
from inboxstats.parse.marking import marked
from inboxstats.schema import decoded
from inboxstats.selection import Selection
from inboxstats.stats import keywords

DOCUMENT = Path(__file__).parents[1] / "docs" / "keywords.md"
MARK = "<!-- What follows is written by tools/keywords.py. -->\n"
CORPORA = {
    "spamassassin": "SpamAssassin's public corpus: ham and spam, about 2002",
    "apparmor-list": "apparmor: a mailing list on security in the Linux kernel, 2019 to 2026",
    "ath10k-list": "ath10k: a mailing list on a wireless driver, 2019 and 2020",
}
TOP = 30
EXAMPLES = 12

RAW = "before"
STEPS = {
    "HTML": "tags, styles, scripts, comments, and what is quoted in HTML",
    "length": "what stands behind 32,768 characters of a part",
    "quotations": "lines with `>`, who is said to have written them, original messages, `Re:` and list tags",
    "signatures": "what stands below `-- `, footers of lists, disclaimers",
    "code": "patches, PGP blocks, uuencode, yEnc",
    "addresses": "URLs, mail addresses, paths, base64, trailers of patches",
    "stop words": "of the message's language, and greetings",
    "debris": "identifiers, serial numbers, checksums, `zzzz`, what is left of *it's*; longer than 40 letters",
}


@dataclass
class Tally:
    """In how many messages a word was before, and in how many each step took it away; and the names of the senders."""

    messages: int = 0
    before: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)
    removed: Mapping[str, Counter[str]] = field(default_factory=lambda: {step: Counter() for step in STEPS})

    def add(self, stages: Mapping[str, set[str]]) -> None:
        """The words of a message after each step."""
        self.messages += 1
        self.before.update(stages[RAW])
        for earlier, later in pairwise(stages):
            self.removed[later].update(stages[earlier] - stages[later])


def main() -> None:
    """Read the corpora, write the document."""
    folder = os.environ.get("INBOXSTATS_CORPORA")
    if not folder:
        sys.exit("INBOXSTATS_CORPORA is not set: it names the folder that holds dev-corpus.tar.xz.")
    sections = []
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(Path(folder) / "dev-corpus.tar.xz") as archive:
            archive.extractall(unpacked, filter="data")
        for name, title in CORPORA.items():
            mail = Path(unpacked) / "corpus" / name
            tally = Tally()
            for path in sorted(mail.glob("*.eml")):
                data = path.read_bytes()
                tally.add(stages(data))
                tally.names |= sender_names(data)
            sections.append(section(title, tally, after(mail, Path(unpacked) / "cache" / name)))
    written = DOCUMENT.read_text("utf-8").partition(MARK)[0]
    DOCUMENT.write_text(written + MARK + "\n" + "\n".join([steps(), *sections]), "utf-8")


def steps() -> str:
    """What each step takes away, in words."""
    return "\n".join(
        ["| step | takes away |", "|---|---|", *(f"| {step} | {what} |" for step, what in STEPS.items()), ""]
    )


def after(mail: Path, cache: Path) -> pd.DataFrame:
    """The keywords that a report on that mail shows."""
    rows = replace(open_collection(mail), cache=cache).update().rows
    return keywords.compute(select(decoded(rows), Selection(duplicates="keep")))


def sender_names(data: bytes) -> set[str]:
    """The words of a sender's name and local part: no person is an example. Spam has names such as "the"."""
    sender = parse(data).sender
    if sender is None:
        return set()
    return _words(f"{sender.display_name} {sender.addr_spec.rpartition('@')[0]}") - stop_words("en")


def stages(data: bytes) -> dict[str, set[str]]:
    """The words of a message, as they came and after each step."""
    parsed, parts = _read(data)
    subject = parsed.subject or ""
    raw = "\n\n".join(decode(octets[: text.LONGEST_PART], charset) for _, octets, charset in parts)
    with patch.object(text, "LONGEST_TEXT", sys.maxsize):
        whole = [text._shown(*part) for part in parts]
    shown = [text._shown(*part) for part in parts]
    found = {RAW: _words(f"{subject}\n{raw}")}
    found["HTML"] = _words("\n\n".join([subject, *whole]))
    found["length"] = _words("\n\n".join([subject, *shown]))
    bare = words.bare_subject(subject)
    on: list[str] = []
    for step in ("quotations", "signatures", "code", "addresses"):
        on.append(step)
        with _switched_on(on):
            written = "\n\n".join(map(own.own_text, shown))
        if "signatures" in on:
            written = text.without_disclaimers(written, text.DISCLAIMER_MARKS)
        found[step] = _words(f"{bare}\n\n{written}")
    stops = stop_words(parsed.language)
    found["stop words"] = {word for word in found["addresses"] if words.keyword(word, stops) or not _is_word(word)}
    found["debris"] = {word for word in found["stop words"] if _is_word(word)}
    left = {words.keyword(word, stops) for word in found["debris"]}
    for earlier, later in reversed(list(pairwise(found))):
        found[earlier] |= found[later]  # what comes back with a later step was not taken away
    if {word for word in left if len(word) > 2} != {word for word in parsed.words if len(word) > 2}:
        raise AssertionError(f"the steps give other words than the parser: {left ^ {*parsed.words}}")
    return found


def _read(data: bytes) -> tuple[Message, list[text.Part]]:
    """A message, and its parts as the parser reads them."""
    parts: list[text.Part] = []

    def noting(given: Iterator[text.Part]) -> list[text.Part]:
        parts.extend(text.read_parts(given))
        return parts

    with patch.object(parser, "read_parts", noting):
        return parse(data), parts


@contextmanager
def _switched_on(steps: list[str]) -> Iterator[None]:
    """Cleaning with these steps alone."""
    kind = own._kind
    wanted = {own._Line.TEXT}
    wanted |= {own._Line.LAST, own._Line.RULE} if "signatures" in steps else set()
    wanted |= {own._Line.BLOCK, own._Line.DIFF} if "code" in steps else set()

    def kind_of(line: str) -> own._Line:
        found = kind(line)
        return found if found in wanted or own._ORIGINAL.match(line) else own._Line.TEXT

    with ExitStack() as stack:
        stack.enter_context(patch.object(own, "_LINES", _EachByItself()))
        stack.enter_context(patch.object(own, "_kind", kind_of))
        if "code" not in steps:
            stack.enter_context(patch.object(own, "_SIGNED", re.compile("(?!)")))
        if "addresses" not in steps:
            stack.enter_context(patch.object(own, "_without_addresses", str))
        yield


class _EachByItself:
    """Lines of which nothing is known before they are looked at."""

    def read(self, text: str) -> tuple[bytes, list[str], list[int]]:
        lines = text.split("\n")
        kinds = ["m" if ">" in line[:8] else "o" if line else "e" for line in lines]
        return "".join(kinds).encode(), lines, [1] * len(lines)

    without_addresses = own._LINES.without_addresses


def _words(raw: str) -> set[str]:
    """What the parser takes for words, before it chooses: here those of three characters that have a letter."""
    tokens = marked(raw).decode().replace("\x01", " ").split()
    return {token for token in tokens if len(token) > 2 and any(map(str.isalpha, token))}


def _is_word(token: str) -> bool:
    return words.keyword(token, frozenset()) != ""


def section(title: str, tally: Tally, left: pd.DataFrame) -> str:
    """The part of the document on a corpus."""
    total = tally.before.total()
    lines = [
        f"## {title}",
        "",
        f"{tally.messages:,} messages with {total:,} words, each counted once a message.",
        "",
        "| step | takes away | of all words | most of all |",
        "|---|---:|---:|---|",
    ]
    for step, gone in tally.removed.items():
        examples = ", ".join([word for word, _ in _ranked(gone) if word not in tally.names][:EXAMPLES])
        lines.append(f"| {step} | {gone.total():,} | {gone.total() / total:.1%} | {_cell(examples)} |")
    kept = total - sum(gone.total() for gone in tally.removed.values())
    lines.append(f"| *left* | {kept:,} | {kept / total:.1%} | |")
    lines += ["", "| | before | messages | after | messages |", "|---:|---|---:|---|---:|"]
    pairs = zip(_ranked(tally.before)[:TOP], left.head(TOP)[["keyword", "messages"]].to_numpy(), strict=True)
    for rank, ((word, uses), (keyword, messages)) in enumerate(pairs, start=1):
        lines.append(f"| {rank} | {_cell(word)} | {uses:,} | {_cell(keyword)} | {messages:,} |")
    return "\n".join([*lines, ""])


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _cell(words: str) -> str:
    return re.sub(r"([|_*<>`\\])", r"\\\1", words)


if __name__ == "__main__":
    main()
