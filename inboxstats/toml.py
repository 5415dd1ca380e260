"""Checks of what stands in config.toml: each takes what tomllib read, and gives what the program keeps of it.

None repeats a value in its sentence, which may be a password in the wrong place; `known` leaves that to its callers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

Check: TypeAlias = Callable[[object], Any]
"""Raises ValueError with what is wrong, as the end of a sentence; `Mistakes` for what is wrong further down."""

NO_NUL = "no NUL can stand here"
"""No system takes one in a path or a command."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """`keys` lead to it from the table that was checked; `said` makes the sentence, given all of them as one text."""

    keys: tuple[str, ...]
    said: Callable[[str], str]


class Mistakes(ValueError):  # noqa: N818 -- several
    """All that is wrong in a table."""

    def __init__(self, found: list[Mistake]) -> None:
        super().__init__(f"{len(found)} mistakes")
        self.found = found


def table(
    made: Callable[..., Any],
    checks: Mapping[str, Check],
    *,
    needed: tuple[str, ...] = (),
    fields: Mapping[str, str] | None = None,
) -> Check:
    """A table with keys of known names, as what `made` makes of their values; `fields` are names that differ there."""

    def check(value: object) -> Any:
        values = _mapping(value)
        found = [Mistake((name,), _unknown(name, checks)) for name in values if name not in checks]
        found += [Mistake((name,), "{} is missing. Add it.".format) for name in needed if name not in values]
        kept = _kept(values, {name: each for name, each in checks.items() if name in values}, found)
        return made(**{(fields or {}).get(name, name): each for name, each in kept.items()})

    return check


def tables(each: Check) -> Check:
    """A table of tables, whose names are the user's."""

    def check(value: object) -> dict[str, Any]:
        values = _mapping(value)
        if any("\0" in name for name in values):
            _refuse(NO_NUL)
        return _kept(values, dict.fromkeys(values, each), [])

    return check


def _kept(values: dict[str, object], checks: Mapping[str, Check], found: list[Mistake]) -> dict[str, Any]:
    """The values as they are kept. Raises Mistakes, those that were found before among them."""
    kept = {}
    for name, check in checks.items():
        try:
            kept[name] = check(values[name])
        except Mistakes as deeper:
            found += [Mistake((name, *mistake.keys), mistake.said) for mistake in deeper.found]
        except ValueError as problem:
            found.append(Mistake((name,), _wrong(str(problem))))
    if found:
        raise Mistakes(found)
    return kept


def _unknown(name: str, known: Iterable[str]) -> Callable[[str], str]:
    from difflib import get_close_matches

    if "password" in name:
        return "{}: a password never stands in this file. Use password_command, or a keyring.".format
    if name in ("client_secret", "refresh_token", "access_token"):
        return "{}: no secret stands in this file. Run `inboxstats account login`, which keeps it.".format
    close = get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(known)}."
    return lambda key: f"unknown key {key!r}. {hint}"


def _wrong(problem: str) -> Callable[[str], str]:
    return lambda key: f"{key}: {problem}."


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else _refuse("Input should be a table")


def text(*, least: int = 0) -> Check:
    """A text of so many characters at least."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            _refuse("Input should be a valid string")
        if "\0" in value:
            _refuse(NO_NUL)
        if len(value) < least:
            _refuse(f"String should have at least {least} character{'' if least == 1 else 's'}")
        return value

    return check


def known(check_text: Callable[[str], str]) -> Check:
    """A text that `check_text` knows, as it returns it. It may repeat the text."""
    return lambda value: check_text(text()(value))


def path(value: object) -> Path:
    """A text as a path; ``~`` is the home folder."""
    try:
        return Path(text()(value)).expanduser()
    except RuntimeError:
        _refuse("nobody knows the home folder that ~ means here; write it out")


def whole(least: int, most: int | None = None) -> Check:
    """A whole number between these two, which are allowed."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            _refuse("Input should be a valid integer")
        if value < least:
            _refuse(f"Input should be greater than or equal to {least}")
        if most is not None and value > most:
            _refuse(f"Input should be less than or equal to {most}")
        return value

    return check


def truth(value: object) -> bool:
    """``true`` or ``false``."""
    return value if isinstance(value, bool) else _refuse("Input should be a valid boolean")


def one_of(words: tuple[str, ...]) -> Check:
    """One of at least two texts."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        *others, last = map(repr, words)
        _refuse(f"Input should be {', '.join(others)} or {last}")

    return check


def several(each: Check, *, least: int = 0) -> Check:
    """A list of so many at least, as a tuple."""

    def check(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            _refuse('write a list, as in ["one", "two"]')
        if len(value) < least:
            _refuse(f"write {least} at least")
        return tuple(each(item) for item in value)

    return check


def _refuse(problem: str) -> NoReturn:
    raise ValueError(problem)
