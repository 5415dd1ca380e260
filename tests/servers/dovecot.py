"""Dovecot 2.3 with a configuration of its own: byte-exact IMAP, with STARTTLS and CONDSTORE, on free ports of loopback.

What it serves: a message stored with CRLF comes back byte for byte; a bare LF comes back as CRLF, a NUL as 0x80,
for RFC 3501 allows none in a literal.
"""

import base64
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from . import maildir
from .certificates import Certificate
from .process import LOOPBACK, UnavailableError, free_ports, greets, running
from .raw import Login

PASSWORD = "correct horse"
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"
"""Where it stands, though an ordinary user's PATH may lack them."""
UID_VALIDITY = 1_700_000_000
_numbers = count(1)

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {log}
auth_verbose = yes
protocols = imap
listen = {host}
ssl = yes
ssl_cert = <{certificate.path}
ssl_key = <{certificate.key}
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  # A file for each user: Dovecot looks no more than once a second whether a file has changed
  args = {folder}/passwords/%u
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/mail/%u
}}
first_valid_uid = 0
mail_location = maildir:~/Maildir:LAYOUT=fs:INBOX=~/Maildir/INBOX:UTF-8
mail_fsync = never
mail_max_userip_connections = {max_userip_connections}
namespace inbox {{
  inbox = yes
  separator = /
}}
service anvil {{
  # No delay for the address that once gave a wrong password
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  # One process for all connections, rather than a process for each
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""
# Who is not root can neither change users nor use chroot.
_WITHOUT_ROOT = """
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
service imap-login {{
  chroot =
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A Dovecot that runs. `port` speaks clear text and STARTTLS, `tls_port` TLS from the first byte."""

    folder: Path
    host: str
    port: int
    tls_port: int
    log: Path

    def add_user(self, name: str | None = None, password: str = PASSWORD) -> Login:
        """A user who may log in from now on, with an empty INBOX; without a name, one that nobody had before."""
        name = name or f"user{next(_numbers)}@example.org"
        secret = base64.b64encode(password.encode()).decode()
        (self.folder / "passwords" / name).write_text(f"{name}:{{PLAIN.b64}}{secret}\n")
        home = self.folder / "mail" / name
        home.mkdir()
        _hand_over(home)
        return Login(self.host, self.port, name, password)

    def fill(
        self,
        user: Login,
        mailbox: str = "INBOX",
        messages: Iterable[bytes] = (),
        *,
        internal_dates: Sequence[datetime] | None = None,
        flags: Mapping[int, Iterable[str]] | None = None,
    ) -> int:
        """How many messages were added to the mailbox, which is created where it is not there. See `maildir.add`."""
        path = self._mailbox(user, mailbox)
        if not path.is_dir():
            self.create(user, mailbox)
        added = maildir.add(path, messages, internal_dates=internal_dates, flags=flags)
        _hand_over(path)
        return added

    def create(self, user: Login, mailbox: str, *, uid_validity: int = UID_VALIDITY, first_uid: int = 1) -> None:
        """An empty mailbox, in the place of an older one of that name: so a server renumbers, or uses UIDs again."""
        maildir.create(self._mailbox(user, mailbox), uid_validity=uid_validity, first_uid=first_uid)
        _hand_over(self.folder / "mail" / user.user)

    def _mailbox(self, user: Login, mailbox: str) -> Path:
        return self.folder / "mail" / user.user / "Maildir" / mailbox


@contextmanager
def dovecot_server(
    log: Path, certificate: Certificate, *, max_userip_connections: int = 100, settings: str = ""
) -> Iterator[Dovecot]:
    """A Dovecot of one's own; its mail is gone afterwards, its log stays. `settings` are more lines of configuration.

    Raises UnavailableError where no Dovecot 2.3 is installed.
    """
    program = _program()
    # Not in pytest's folder: Dovecot's sockets need a short path, and the owner of the mail must come through.
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "mail").mkdir()
        (folder / "passwords").mkdir()
        port, tls_port = free_ports(2)
        configuration = _CONFIGURATION.format(
            folder=folder, log=log, host=LOOPBACK, port=port, tls_port=tls_port, certificate=certificate,
            owner=_owner(), max_userip_connections=max_userip_connections,
        )  # fmt: skip
        (folder / "dovecot.conf").write_text(configuration + _for_this_user() + settings)
        command = [program, "-F", "-c", str(folder / "dovecot.conf")]
        with running(command, ready=lambda: greets(port), log=log):
            yield Dovecot(folder, LOOPBACK, port, tls_port, log)


def _program() -> str:
    program = shutil.which("dovecot") or shutil.which("dovecot", path=SYSTEM_FOLDERS)
    if program is None:
        raise UnavailableError("Dovecot is missing. Install it (Debian: apt-get install dovecot-imapd).")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("2.3."):
        raise UnavailableError(
            f"Dovecot {version.split()[0]} has another configuration language: these tests need 2.3."
        )
    return program


def _owner() -> pwd.struct_passwd:
    """Whose the mail is: Dovecot serves none of root's."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _for_this_user() -> str:
    if os.geteuid() == 0:
        return ""
    return _WITHOUT_ROOT.format(user=_owner().pw_name, group=grp.getgrgid(os.getegid()).gr_name)


def _hand_over(root: Path) -> None:
    if os.geteuid() != 0:
        return
    owner = _owner()
    for folder, _, files in os.walk(root):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(path, owner.pw_uid, owner.pw_gid)
