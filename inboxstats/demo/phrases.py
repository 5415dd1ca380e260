"""What the demo's people write about: reads the two text files of topics beside it and draws sentences from them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from random import Random

SECTION = re.compile(r"\[(\w+) (\w+)\]")
SLOT = re.compile(r"\{(\w+)\}")
FILES = ("english.txt", "abroad.txt")


@dataclass(frozen=True, slots=True)
class Topic:
    """What a message can be about. `words` fill the slots of its sentences: ``{"weekday": ("Monday", …)}``."""

    name: str
    language: str
    words: Mapping[str, tuple[str, ...]]
    subjects: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def subject(self, rng: Random) -> str:
        """A subject with its slots filled."""
        return self._filled(rng.choice(self.subjects), rng)

    def paragraphs(self, rng: Random, *, sentences: int) -> list[str]:
        """So many different sentences, or all that there are, with their slots filled, two to a paragraph."""
        chosen = rng.sample(self.sentences, min(sentences, len(self.sentences)))
        filled = [self._filled(sentence, rng) for sentence in chosen]
        space = "" if self.language == "ja" else " "
        return [space.join(filled[start : start + 2]) for start in range(0, len(filled), 2)]

    def _filled(self, text: str, rng: Random) -> str:
        return SLOT.sub(lambda slot: self._word(slot[1], rng), text)

    def _word(self, slot: str, rng: Random) -> str:
        match slot:
            case "number":
                return str(rng.randrange(10_000, 99_999))
            case "count":
                return str(rng.randrange(3, 90))
            case "amount":
                return f"{rng.randrange(12, 2_400)}.{rng.randrange(100):02}"
            case _:
                return rng.choice(self.words[slot])


@cache
def topics() -> Mapping[str, Topic]:
    """All topics by name."""
    return {topic.name: topic for name in FILES for topic in _read(name)}


def _read(name: str) -> Iterator[Topic]:
    words: dict[str, dict[str, tuple[str, ...]]] = {}
    for title, language, lines in _sections(files(__package__).joinpath(name).read_text("utf-8")):
        if title == "words":
            pairs = (line.split(":", 1) for line in lines)
            words[language] = {slot: tuple(word.strip() for word in choice.split(",")) for slot, choice in pairs}
            continue
        subjects = [line[2:] for line in lines if line.startswith("= ")]
        sentences = [line for line in lines if not line.startswith("= ")]
        yield Topic(title, language, words[language], subjects, sentences)


def _sections(text: str) -> Iterator[tuple[str, str, list[str]]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [number for number, line in enumerate(lines) if SECTION.fullmatch(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        title = SECTION.fullmatch(lines[start])
        assert title is not None
        yield title[1], title[2], lines[start + 1 : end]
