"""Fixtures for all tests: the servers, their users, the corpora.

A server or corpus that cannot be had skips the test with the reason. With CI=true a missing server is a failure:
an integration job that skips itself would look like one that passed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import Inboxstats
from corpora import VARIABLE, Corpora, corpora_folder, unpack
from servers.certificates import Certificates, make_certificates
from servers.dovecot import Dovecot, dovecot_server
from servers.greenmail import GreenMail, greenmail_server
from servers.process import UnavailableError, tail
from servers.raw import Login
from servers.secret_service import SecretService, secret_service
from servers.user_manager import UserManager, user_manager
from servers.webhook import Webhook, webhook

LOGGING = ("greenmail", "dovecot", "systemd")


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    """The corpora, unpacked once for all test processes. Read them only."""
    folder = corpora_folder()
    if folder is None:
        pytest.skip(f"{VARIABLE} is not set: it names the folder that holds dev-corpus.tar.xz")
    return unpack(folder, _shared(tmp_path_factory) / "corpora")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of an authority that lives as long as this test process."""
    with _skipped_where_unavailable():
        return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def greenmail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GreenMail]:
    """A GreenMail for all tests of this process: take a user of your own."""
    with _skipped_where_unavailable(), greenmail_server(tmp_path_factory.mktemp("greenmail") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def dovecot(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Dovecot]:
    """A Dovecot, with a certificate for localhost, for all tests of this process: take a user of your own."""
    log = tmp_path_factory.mktemp("dovecot") / "log"
    with _skipped_where_unavailable(), dovecot_server(log, certificates.good) as server:
        yield server


@pytest.fixture
def keyring_service(tmp_path: Path) -> Iterator[SecretService]:
    """A keyring such as a desktop has, unlocked, with nothing in it."""
    with _skipped_where_unavailable(), secret_service(tmp_path / "keyring.log") as service:
        yield service


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[UserManager]:
    """A user's systemd, which knows nothing of ours."""
    with _skipped_where_unavailable(), user_manager(tmp_path / "systemd.log") as manager:
        yield manager


@pytest.fixture
def service() -> Iterator[Webhook]:
    """A web service that is told something."""
    with webhook() as server:
        yield server


@pytest.fixture
def inboxstats(tmp_path: Path) -> Inboxstats:
    """The program, with a home folder that nobody had before."""
    home = tmp_path / "home"
    home.mkdir()
    return Inboxstats(home)


@pytest.fixture
def greenmail_user(greenmail: GreenMail) -> Iterator[Login]:
    """A user whom no other test knows, gone with their mail afterwards."""
    user = greenmail.add_user()
    yield user
    greenmail.remove_user(user)


@pytest.fixture
def dovecot_user(dovecot: Dovecot) -> Login:
    """A user whom no other test knows, with an empty INBOX."""
    return dovecot.add_user()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """A failed test shows the end of the logs of the servers that it used."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {})
        logs = {name: fixtures[name].log for name in LOGGING if name in fixtures and fixtures[name].log}
        report.sections += [(f"The end of {name}'s log, {log}", tail(log)) for name, log in logs.items()]
    return report


@contextmanager
def _skipped_where_unavailable() -> Iterator[None]:
    try:
        yield
    except UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


def _shared(factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of the whole test run, which pytest-xdist's processes have in common."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
