"""How the article begins: one connection, one message after the other.

one_by_one.py HOST PORT USER PASSWORD FOLDER [MESSAGES]
"""

import imaplib
import sys
from pathlib import Path

imaplib._MAXLINE = 10_000_000  # more than 125,000 UIDs in one line


def connect(host: str, port: str, user: str, password: str) -> imaplib.IMAP4:
    """A connection with INBOX open."""
    connection = imaplib.IMAP4(host, int(port))
    connection.login(user, password)
    connection.select("INBOX", readonly=True)
    return connection


def save(connection: imaplib.IMAP4, uids: list[bytes], folder: Path) -> None:
    """Each message in a file."""
    for uid in uids:
        _, data = connection.uid("FETCH", uid.decode(), "(RFC822)")
        (folder / f"{uid.decode()}.eml").write_bytes(data[0][1])


def main() -> None:
    *login, folder = sys.argv[1:6]
    connection = connect(*login)
    uids = connection.uid("SEARCH", "ALL")[1][0].split()
    save(connection, uids[: int(sys.argv[6]) if sys.argv[6:] else None], Path(folder))
    connection.logout()


if __name__ == "__main__":
    main()
