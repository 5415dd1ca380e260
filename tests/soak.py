"""`make soak`: mail comes in, `inboxstats fetch` runs and is killed at random moments, again and again.

After each kill no file under a final name is partial, and what was stored is still there. In the end one run that is
left alone brings every message as a second reader gets it from the server, and one more asks for no body.

    python tests/soak.py --kills 200 --messages 2000 --seed 7      # the seed of a run that failed, to have it again
"""

import argparse
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from command import Inboxstats
from invariants import Key, Witness, everything, sha256
from proxy import Proxy
from servers import raw
from servers.certificates import make_certificates
from servers.dovecot import UID_VALIDITY, Dovecot, dovecot_server
from servers.raw import Login, with_crlf

MAILBOXES = ("INBOX", "Work", "Lists/python")
SECRET = "canary-Zt9!"
BEGINS = (b"LOGIN", b"FETCH", b"BODY", b"BODY", b"BODY")
"""What a run has said when its last moments begin: most are at work on messages, some have just logged in."""
FIRST_MOMENTS = 0.05
"""How many seconds they last at most; then the time is fitted to what runs take."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak came to: kills that met a run still at work, runs that were faster, and messages in the archive."""

    kills: int
    ended_before: int
    messages: int


def mixed(chance: random.Random, number: int) -> bytes:
    """A message of any size up to 300 kB, of any bytes but NUL, with any line ends."""
    end = chance.choice([b"\r\n", b"\n"])
    head = b"From: a%d@example.org%bSubject: number %d%b" % (number, end, number, end)
    size = int(10 ** chance.uniform(0, 5.5))
    match chance.randrange(5):
        case 0:
            body = b""
        case 1:
            body = b"x" * size  # one line
        case 2:
            body = chance.randbytes(size).replace(b"\0", b"0")
        case 3:
            body = (b"." + end + b"* 1 FETCH (UID 1 BODY[] {5}" + end + b"A1 OK done" + end) * (size // 40)
        case _:
            body = (b"words of a line" + end) * (size // 15)
    return head + end + body


def soak(dovecot: Dovecot, folder: Path, *, kills: int, messages: int, seed: int, tell: bool = False) -> Soaked:
    """Kill as many runs while as many messages come in. Raises AssertionError where anything is lost or partial."""
    chance = random.Random(seed)
    user = dovecot.add_user(password=SECRET)
    archive = folder / "archive"
    witness = Witness(archive, SECRET.encode())
    program = _program(folder, user)
    numbers = iter(range(1, messages + 1))
    killed = faster = 0
    within = FIRST_MOMENTS
    with Proxy(user.port) as proxy:
        options = ["fetch", "--host", user.host, "--port", str(proxy.port), "--user", user.user, "--security", "none"]
        options += ["--archive", str(archive), "--all"]
        while killed < kills:
            _deliver(dovecot, user, witness, chance, numbers, count=max(3, messages // (2 * kills)))
            begins = chance.choice(BEGINS)
            running = program.start(*options, "--threads", str(chance.randint(1, 8)), CREDENTIALS_DIRECTORY=str(folder))
            while begins not in proxy.sent and running.poll() is None:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, within))
            running.send_signal(signal.SIGKILL)
            _, err = running.communicate(timeout=60)
            # Some runs are to be faster than their killer, so that the last of what a run does is met, too.
            if running.returncode == -signal.SIGKILL:
                killed, within = killed + 1, within * 1.1
            else:
                assert running.returncode == 0, err
                faster, within = faster + 1, within * 0.8
            if archive.exists():
                witness.look()
            proxy.forget()
            if tell and killed % 20 == 0:
                print(f"{killed} kills, {len(witness.served):,} messages came, {within:.2f} s", flush=True)
        _deliver(dovecot, user, witness, chance, numbers, count=messages)
        done = program(*options, CREDENTIALS_DIRECTORY=str(folder))
        assert done.code == 0, done
        witness.look_whole(witness.served)
        _equals_a_second_reader(user, witness)
        kept = everything(archive)
        proxy.forget()
        assert program(*options, CREDENTIALS_DIRECTORY=str(folder)).code == 0
        assert b"FETCH" in proxy.sent or b"STATUS" in proxy.sent
        assert b"BODY" not in proxy.sent.upper(), "a run with nothing to do asked for bodies"
        assert everything(archive) == kept
    return Soaked(killed, faster, len(witness.served))


def _program(folder: Path, user: Login) -> Inboxstats:
    home = folder / "home"
    home.mkdir()
    (folder / user.user).write_text(user.password)  # as systemd hands it over
    return Inboxstats(home)


def _deliver(
    dovecot: Dovecot, user: Login, witness: Witness, chance: random.Random, numbers: Iterator[int], *, count: int
) -> None:
    """So many more messages, in mailboxes by chance; the witness is told what a client must see of them."""
    for mailbox in MAILBOXES:
        share = [mixed(chance, number) for number in islice(numbers, -(-count // len(MAILBOXES)))]
        first = 1 + sum(key.mailbox == mailbox for key in witness.served)
        dovecot.fill(user, mailbox, share)
        witness.served |= {
            Key(mailbox, UID_VALIDITY, uid): sha256(with_crlf(data)) for uid, data in enumerate(share, first)
        }


def _equals_a_second_reader(user: Login, witness: Witness) -> None:
    stored = witness.look()
    for mailbox in MAILBOXES:
        own = {key.uid: digest for key, digest in stored.items() if key.mailbox == mailbox}
        assert own == raw.digests(user, mailbox), f"{mailbox} is not what a second reader gets"
        assert not any(raw.flags(user, mailbox).values()), f"flags of {mailbox} have changed"


def main() -> None:
    """A soak with servers of its own."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--messages", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = options.parse_args()
    print(f"{given.kills} kills, {given.messages:,} messages, seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        certificate = make_certificates(folder).good
        with dovecot_server(folder / "log", certificate) as dovecot:
            done = soak(dovecot, folder, kills=given.kills, messages=given.messages, seed=given.seed, tell=True)
    print(f"{done.kills} kills met a run at work, {done.ended_before} came too late. Nothing partial, nothing lost:")
    print(f"{done.messages:,} messages are as a second reader gets them, and one more run asked for no body.")


if __name__ == "__main__":
    main()
