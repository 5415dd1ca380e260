"""The experiments themselves, as small as they can be. What they measure is for the reader, not for a test."""

import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import pytest
from recorder import Recorder, changing

from inboxstats import workers
from inboxstats.bench import cpu, download, forest, io, link, pages, parse, standard, timing
from inboxstats.bench.model import Experiment, Name, Outcome
from inboxstats.collection import open_collection
from inboxstats.demo.mailbox import generate
from inboxstats.demo.server import DemoServer, serve_beside
from inboxstats.errors import NetworkError, UsageError
from inboxstats.mail import Location
from inboxstats.sources.imap import ImapSource, Server

MADE = generate(messages=60, seed=1, last_day=date(2026, 11, 1))
INBOX = [message.data for message in MADE if message.mailbox == "INBOX"]


def measured(experiment: Experiment) -> Outcome:
    return timing.measure(experiment, rounds=1, progress=lambda _done, _total: None)


def test_the_article_s_function_multiplies_up_its_numbers() -> None:
    rng = Random(500)
    assert cpu.multiplied(500) == math.prod(rng.randint(1, 100) for _ in range(500)).bit_length()


def test_the_processor_is_burnt_in_every_way_and_a_start_costs_something() -> None:
    outcome = measured(cpu.experiment(numbers=50))
    assert {timing.name for timing in outcome.timings} == {
        Name(mode, times) for mode in ("sequence", "threads", "processes") for times in (1, 2, 4, 8)
    }
    assert all(timing.against == Name("sequence", timing.name.workers) for timing in outcome.timings)
    assert outcome.starts["thread"][0] > 0
    assert outcome.starts["process"][0] > 0


def test_pages_come_as_late_as_they_should_and_whole(tmp_path: Path) -> None:
    with workers.beside(pages.serve, 0.05) as port:
        began = timing.time.perf_counter()
        assert io.fetched(io.Errand(port, 3, str(tmp_path / "page"))) == 3 * len(pages.PAGE)
        assert timing.time.perf_counter() - began >= 3 * 0.05
    assert (tmp_path / "page").read_bytes() == pages.PAGE
    with pytest.raises(NetworkError, match="does not answer"):
        io.fetched(io.Errand(port, 1, str(tmp_path / "page")))


def test_waiting_in_sequence_takes_the_sum_of_all_delays() -> None:
    with io.experiment(delay=0.02, count=2) as experiment:
        outcome = measured(experiment)
    assert len(outcome.timings) == 12
    assert outcome.of(Name("sequence", 8)).seconds[0] >= 8 * 2 * 0.02


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with serve_beside(messages=60, seed=1, last_day=date(2026, 11, 1)) as server:
        yield server


def source(server: DemoServer, port: int) -> ImapSource:
    return ImapSource(Server(server.host, port, server.user, "none"), server.password)


def test_every_way_of_downloading_brings_the_same_mail_and_changes_nothing(server: DemoServer, tmp_path: Path) -> None:
    newest = sorted(INBOX[-7:])
    with Recorder(server.host, server.port) as wire:
        with download.experiment(
            source(server, wire.port), "INBOX", messages=7, threads=3, ours=2, link="near", most_bytes=None
        ) as experiment:
            names = [way.name for way in experiment.ways]
            assert [(name.mode, name.workers) for name in names] == [
                ("sequence", 1), ("article", 3), ("sequence", 1), ("ours", 2)
            ]  # fmt: skip
            work = download._work(source(server, wire.port), "INBOX", 7)
            ways = (download.one_by_one, download.threaded(3), download.batches, download.our_downloader(2))
            for number, way in enumerate(ways):
                folder = tmp_path / str(number)
                folder.mkdir()
                sent = len(wire.commands())
                way(work, folder)
                assert sorted(path.read_bytes() for path in folder.rglob("*.eml")) == newest
                fetches = [command for command in wire.commands()[sent:] if "BODY.PEEK[]" in command]
                assert len(fetches) == (7, 7, 1, len(fetches))[number]
            outcome = measured(experiment)
        sent_in_all = wire.commands()
    assert changing(sent_in_all) == []
    assert outcome.settings["bytes"] == sum(map(len, newest))


def test_a_link_is_as_far_away_as_it_says(server: DemoServer) -> None:
    with workers.beside(link.serve, server.port, 30.0) as port:
        work = download._work(source(server, port), "INBOX", 5)
        with download.experiment(
            source(server, port), "INBOX", messages=5, threads=2, ours=1, link="far", most_bytes=None
        ) as experiment:
            assert measured(experiment).timings[0].seconds[0] >= len(work.keys) * 0.03


def test_a_mailbox_that_is_not_there_is_told_with_those_that_are(server: DemoServer) -> None:
    with (
        pytest.raises(UsageError, match=r"no mailbox 'Inbx'\. There are: 'INBOX'"),
        download.experiment(
            source(server, server.port), "Inbx", messages=5, threads=2, ours=1, link="near", most_bytes=None
        ),
    ):
        pass


def test_what_would_exceed_a_provider_s_day_is_refused(server: DemoServer) -> None:
    with (
        pytest.raises(UsageError, match="more than the provider gives a day"),
        download.experiment(
            source(server, server.port), "INBOX", messages=5, threads=2, ours=1, link="near", most_bytes=100
        ),
    ):
        pass


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    for number, data in enumerate(INBOX[:8]):
        (tmp_path / f"{number}.eml").write_bytes(data)
    return tmp_path


def test_both_parsers_read_every_message(mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(mail / "cache"))
    outcome = measured(parse.experiment(open_collection(mail), messages=6))
    assert outcome.settings == {"messages": 6}
    assert {(each.name.mode, each.name.variant) for each in outcome.timings} == {
        (mode, parser) for mode in ("sequence", "threads", "processes") for parser in ("standard library", "our parser")
    }
    assert {each.against.variant == each.name.variant for each in outcome.timings} == {True}


def test_the_standard_library_s_rows_are_right(mail: Path) -> None:
    (row,) = standard.rows([Location(str(mail / "0.eml"))])
    assert row is not None
    inbox = [message for message in MADE if message.mailbox == "INBOX"]
    assert row[0] == inbox[0].letter.sender.addr_spec
    assert row[1] == inbox[0].letter.subject


def test_a_forest_is_grown_by_one_and_by_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "default_workers", lambda: 3)
    outcome = measured(forest.experiment(trees=4, samples=100))
    assert [(each.name.mode, each.name.workers) for each in outcome.timings] == [
        ("sequence", 1), ("threads", 2), ("threads", 3), ("threads", 4)
    ]  # fmt: skip
    assert outcome.settings["features"] == 50
