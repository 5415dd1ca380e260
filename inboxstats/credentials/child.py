"""The keyring's side of `keyring`: run as a program of its own, since a keyring that hangs cannot be interrupted.

    python -P -m inboxstats.credentials.child get|set|delete SERVICE USER

A secret comes in on stdin and goes out on stdout after the verdict's line, never in the argument list.
"""

import ctypes.util
import sys


def main(operation: str, service: str, user: str) -> str:
    """A line with the verdict, and the secret that was asked for."""
    if sys.platform != "darwin":
        _leave_out_frameworks()
    import keyring
    from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordDeleteError

    try:
        backend = keyring.get_keyring()
    except Exception as problem:  # noqa: BLE001 -- whatever a backend of some other package raises as it is loaded
        return f"unloadable {type(problem).__name__}\n"
    # A chain stores in its first backend and asks them all. Those that store plain text are left out of it.
    backends = list(getattr(backend, "backends", None) or [backend])
    kinds = [type(each) for each in backends]
    secure = [each for each in backends if not _is_plain(type(each)) and type(each).__module__ not in _NONE]
    if not secure:
        if any(map(_is_plain, kinds)):
            return f"plaintext {next(kind.__module__ for kind in kinds if _is_plain(kind))}\n"
        return "null\n" if "keyring.backends.null" in {kind.__module__ for kind in kinds} else "none\n"
    try:
        match operation:
            case "get":
                found = (each.get_password(service, user) for each in secure)
                password = next((each for each in found if each is not None), None)
                return "missing\n" if password is None else f"found\n{password}"
            case "set":
                secure[0].set_password(service, user, sys.stdin.buffer.read().decode())
                return "stored\n"
            case _:
                secure[0].delete_password(service, user)
                return "removed\n"
    except PasswordDeleteError:
        return "missing\n"
    except (KeyringLocked, InitError, EOFError):
        # InitError: a Secret Service whose first keyring is to be made, and nobody chooses its password.
        # EOFError: a backend asks for a password of its own, and there is nobody.
        return "locked\n"
    except NoKeyringError:
        return "none\n"
    except Exception as problem:  # noqa: BLE001 -- backends raise what their libraries raise; its text may hold anything
        return f"error {type(problem).__name__}\n"


def _leave_out_frameworks() -> None:
    """keyring looks for macOS' frameworks on any system: elsewhere that runs gcc and ld, for 0.1 s and more."""
    find = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in _FRAMEWORKS else find(name)


_FRAMEWORKS = {"Security", "CoreServices", "Foundation"}

_NONE = {"keyring.backends.fail", "keyring.backends.null"}


def _is_plain(kind: type) -> bool:
    """Whether a backend says that it does not encrypt, as those of keyrings.alt do by their name."""
    return any("plaintext" in base.__name__.lower() for base in kind.__mro__)


if __name__ == "__main__":
    answer = main(*sys.argv[1:4])
    sys.stdout.buffer.write(answer.encode())
