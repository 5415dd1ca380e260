"""The mail that `inboxstats bench` measures with: the user's, or the demo's."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inboxstats.cli.accounts import Job, adhoc_job, declared_jobs, port_of, refuse_plain_text, source_of
from inboxstats.cli.options import config_path, read_config
from inboxstats.errors import UsageError

if TYPE_CHECKING:  # numpy, pandas and what speaks to a server
    from inboxstats.bench.model import Experiment
    from inboxstats.collection import Collection

ARTICLE_THREADS = 10
WAYS = 4
"""Of a download, each of which takes all messages once a round."""

DEMO_MESSAGES_PER_INBOX = 3
"""So many messages are generated for each that INBOX must have: the demo has three other mailboxes."""

SEED = 2026


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to download, by how many of the article's threads (``None``: as many as are borne), how often."""

    mailbox: str
    messages: int
    threads: int | None
    rounds: int


def job_of(
    account: str | None,
    host: str | None,
    port: int | None,
    user: str | None,
    security: Literal["tls", "starttls", "none"],
    password_command: str | None,
    tls_fingerprint: str | None,
    *,
    config: Path | None,
    insecure: bool,
) -> Job | None:
    """The account that the options name or describe; ``None`` where they do neither. Raises UsageError."""
    job = adhoc_job(host, port, user, security, password_command, tls_fingerprint)
    if job is not None and account is not None:
        raise UsageError(f"Give either an account of config.toml ({account}) or --host, not both.")
    if account is not None:
        (job,) = declared_jobs(read_config(config), [account], config_path(config))
    if job is not None:
        refuse_plain_text(job, insecure=insecure)
    return job


@contextmanager
def account(chosen: Chosen, job: Job, *, quiet: bool) -> Iterator["Experiment"]:
    """A download from an account, within what its provider bears."""
    from inboxstats.bench import download
    from inboxstats.providers import OTHER, provider_of

    provider = provider_of(job.account.host, port_of(job.account))
    borne = ARTICLE_THREADS if provider is OTHER else min(ARTICLE_THREADS, provider.connections)
    daily = provider.daily_bytes
    with download.experiment(
        source_of(job, quiet=quiet),
        chosen.mailbox,
        messages=chosen.messages,
        threads=chosen.threads or borne,
        ours=job.account.threads or provider.connections,
        link=job.account.host,
        most_bytes=None if daily is None else daily // (WAYS * chosen.rounds + 1),
    ) as experiment:
        yield experiment


@contextmanager
def demo(chosen: Chosen, *, rtt: float) -> Iterator["Experiment"]:
    """A download from the demo's server, `rtt` milliseconds away. Raises UsageError where the extra is missing."""
    from datetime import date

    from inboxstats import workers
    from inboxstats.bench import download, link
    from inboxstats.demo.server import serve_beside
    from inboxstats.providers import OTHER
    from inboxstats.sources.imap import ImapSource, Server

    count = chosen.messages * DEMO_MESSAGES_PER_INBOX
    with (
        serve_beside(messages=count, seed=SEED, last_day=date(2026, 11, 1)) as server,
        workers.beside(link.serve, server.port, rtt) as port,
        download.experiment(
            ImapSource(Server(server.host, port, server.user, "none"), server.password),
            chosen.mailbox,
            messages=chosen.messages,
            threads=chosen.threads or ARTICLE_THREADS,
            ours=OTHER.connections,
            link=f"the demo's server, {rtt:g} ms away",
            most_bytes=None,
        ) as experiment,
    ):
        yield experiment


@contextmanager
def collection(path: Path | None, messages: int) -> Iterator["Collection"]:
    """The mail at a path; without one, so many generated messages in a temporary folder. Raises UsageError."""
    from datetime import date

    from inboxstats.collection import open_collection
    from inboxstats.demo.mailbox import generate

    if path is not None:
        yield open_collection(path.expanduser())
        return
    with tempfile.TemporaryDirectory(prefix="inboxstats-bench-") as folder:
        for number, message in enumerate(generate(messages=messages, seed=SEED, last_day=date(2026, 11, 1))):
            (Path(folder) / f"{number}.eml").write_bytes(message.data)
        yield open_collection(Path(folder))
