"""Questions to a person at a terminal; where there is none, nothing is asked.

The questions go to stderr, so that stdout has results alone.
"""

import sys
from collections.abc import Callable

from inboxstats.errors import CredentialsError, UsageError
from inboxstats.visible import visible


def is_anybody_there() -> bool:
    """Whether a person can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, option: str, default: str = "") -> str:
    """An answer, or the default for an empty one. Raises UsageError, which names the option, where nobody is there."""
    if not is_anybody_there():
        raise UsageError(f"Nobody is at a terminal to be asked. Say it by {option}.")
    shown = f" [{default}]" if default else ""
    sys.stderr.write(visible(f"{question}{shown}") + ": ")
    sys.stderr.flush()
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as problem:
        raise UsageError("The answer is not UTF-8. Set the terminal to UTF-8, or start again.") from problem
    if not line:  # Ctrl-D
        sys.stderr.write("\n")
        raise UsageError("No answer, so nothing was done.")
    answer = line.strip() or default
    if not answer:
        raise UsageError("No answer, so nothing was done.")
    if not answer.isprintable():
        raise UsageError("The answer has characters that cannot be typed. Start again.")
    return answer


def confirm(question: str, *, option: str) -> bool:
    """Whether a person says yes; no by default. Raises UsageError as `ask` does."""
    return ask(f"{question} (y/n)", option=option, default="n").lower() in {"y", "yes"}


def piped_password() -> str:
    """The first line of stdin. Raises UsageError, CredentialsError."""
    from inboxstats.credentials import password_in

    data = sys.stdin.buffer.readline() if not sys.stdin.isatty() else b""
    password = password_in(data, "The password on stdin")
    if not password:
        raise UsageError("stdin has no password. Pipe it in, as in: pass show mail | inboxstats account add ...")
    return password


def secret_asker() -> Callable[[str], str] | None:
    """What asks for a password without showing it; ``None`` where nobody is there."""
    if not is_anybody_there():
        return None
    from getpass import getpass

    def ask_secret(prompt: str) -> str:
        try:
            return getpass(prompt, stream=sys.stderr)
        except EOFError:  # Ctrl-D
            return ""
        except UnicodeDecodeError:  # its text shows a byte of the password
            raise CredentialsError("The password is not UTF-8. Set the terminal to UTF-8, or start again.") from None

    return ask_secret
