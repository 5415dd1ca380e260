"""Eighteen months of one person's life: who sits down to write when, and what comes of it.

Draws from `random.Random` only what Python keeps stable. Who the people are stands in cast.py, what they write about
in english.txt and abroad.txt.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from random import Random

from inboxstats.demo.attachments import KINDS, File
from inboxstats.demo.cast import CAST, ME
from inboxstats.demo.compose import Letter, quotation, usable_charset
from inboxstats.demo.people import Correspondent
from inboxstats.demo.phrases import Topic, topics
from inboxstats.mail import Address

DAYS = 547
ANSWERED_WITHIN = timedelta(days=6)
LONGEST_THREAD = 8


@dataclass(frozen=True, slots=True)
class Occasion:
    """Somebody sits down to write."""

    when: datetime
    who: Correspondent


def occasions(number: int, last_day: date, rng: Random) -> list[Occasion]:
    """So many occasions of the 18 months up to `last_day` (by each writer's own calendar), in their order."""
    everybody = (*CAST, ME)
    days = [last_day - timedelta(days=before) for before in range(DAYS - 1, -1, -1)]
    cells = [(day, who) for day in days for who in everybody]
    weights = [_rate(who, day, index / (DAYS - 1)) for index, day in enumerate(days) for who in everybody]
    chosen = rng.choices(cells, weights, k=number)
    return sorted((Occasion(_moment(day, who, rng), who) for day, who in chosen), key=lambda occasion: occasion.when)


def _rate(who: Correspondent, day: date, age: float) -> float:
    """How likely `who` writes on a day that is `age` (0 to 1) into the whole period."""
    start, end = who.life
    if not start <= age <= end:
        return 0.0
    usual = int(who.habit.weekdays[day.weekday()]) / sum(map(int, who.habit.weekdays))
    holiday = who.habit.holidays if _is_holiday(day) else 1
    return who.weight * usual * holiday * _trend(who, (age - start) / (end - start))


def _trend(who: Correspondent, age: float) -> float:
    match who.trend:
        case "steady":
            return 1.0
        case "grows":
            return 0.3 + 1.4 * age
        case "fades":
            return 1.7 - 1.4 * age
        case "project":
            return 0.3 + 4.2 * age * (1 - age)


def _is_holiday(day: date) -> bool:
    """Christmas to New Year, Labour Day, and a fortnight and a half in August."""
    return (
        (day.month, day.day) >= (12, 22)
        or (day.month, day.day) in {(1, 1), (1, 2), (5, 1)}
        or (day.month == 8 and 3 <= day.day <= 21)
    )


def _moment(day: date, who: Correspondent, rng: Random) -> datetime:
    [hour] = rng.choices(range(24), list(map(int, who.habit.hours)))
    at = time(hour, rng.randrange(60), rng.randrange(60), tzinfo=timezone(who.zone.offset(day)))
    return datetime.combine(day, at)


def letters(occasions: Sequence[Occasion], rng: Random) -> Iterator[Letter]:
    """What is written on each occasion; a letter answers none but earlier ones."""
    threads: dict[str, Letter] = {}  # by topic, the latest letter
    unanswered: deque[Letter] = deque(maxlen=12)
    for occasion in occasions:
        parent = _parent(occasion, unanswered, threads, rng)
        letter = _answer(occasion, parent, rng) if parent else _opening(occasion, rng)
        threads[letter.topic] = letter
        if not (letter.tool or letter.list_id or occasion.who is ME):
            unanswered.append(letter)
        yield letter


def _parent(occasion: Occasion, unanswered: deque[Letter], threads: Mapping[str, Letter], rng: Random) -> Letter | None:
    """The letter that this one answers, if it answers one."""
    who = occasion.who
    if who is ME:
        recent = [letter for letter in unanswered if _is_fresh(letter, occasion)]
        if not recent:
            return None
        mine = rng.choice(recent)
        unanswered.remove(mine)
        return mine
    parent = threads.get(rng.choice(who.topics.split()))
    if parent is None or parent.sender == who.address or not _is_fresh(parent, occasion) or rng.random() > who.replies:
        return None
    return parent


def _is_fresh(letter: Letter, occasion: Occasion) -> bool:
    return occasion.when - letter.date < ANSWERED_WITHIN and len(letter.references) < LONGEST_THREAD


def _opening(occasion: Occasion, rng: Random) -> Letter:
    topic = topics()[rng.choice(occasion.who.topics.split())]
    to = _list_address(occasion.who) or ME.address
    if occasion.who is ME:
        to = rng.choice([friend.address for friend in CAST if topic.name in friend.topics.split()])
    return _written(occasion, topic, topic.subject(rng), to, rng)


def _answer(occasion: Occasion, parent: Letter, rng: Random) -> Letter:
    subject = parent.subject if parent.references else f"Re: {parent.subject}"
    to = parent.sender if occasion.who is ME else _list_address(occasion.who) or ME.address
    letter = _written(occasion, topics()[parent.topic], subject, to, rng)
    quoted = quotation(parent)
    return replace(
        letter,
        references=(*parent.references, parent.message_id),
        quoted=quoted,
        charset=usable_charset(letter.text + quoted + letter.signature, letter.charset),
    )


def _list_address(who: Correspondent) -> Address | None:
    if who.list_id is None or who.tool:
        return None
    name, domain = who.list_id.split(".", 1)
    return Address("", f"{name}@{domain}")


def _written(occasion: Occasion, topic: Topic, subject: str, to: Address, rng: Random) -> Letter:
    """A new letter on a topic, without the letter that it answers."""
    who, text = occasion.who, _text(occasion.who, topic, rng)
    signature = "" if who.tool else f"{who.name}\n{who.organisation}".rstrip()
    files: tuple[File, ...] = ()
    if who.files and rng.random() < who.attaches:
        files = (KINDS[rng.choice(who.files.split())](subject, occasion.when, rng),)
    return Letter(
        sender=who.address,
        to=to,
        subject=subject,
        date=occasion.when,
        message_id=f"<{rng.getrandbits(64):016x}@{who.address.domain}>",
        text=text,
        topic=topic.name,
        language=topic.language,
        charset=usable_charset(text + signature, who.charset),
        encoding=who.encoding,
        style=who.style,
        signature=signature,
        files=files,
        list_id=who.list_id,
        unsubscribe=who.unsubscribe,
        tool=who.tool,
    )


def _text(who: Correspondent, topic: Topic, rng: Random) -> str:
    paragraphs = topic.paragraphs(rng, sentences=rng.randrange(2, 6))
    if not who.tool:
        paragraphs = [rng.choice(topic.words["greeting"]), *paragraphs, rng.choice(topic.words["farewell"])]
    return "\n\n".join(paragraphs)
