"""The page in a real Chromium, as a reader has it: nothing runs, nothing leaves, nothing sticks out."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from factories import dataset, row
from playwright.sync_api import Browser, Page, sync_playwright

from inboxstats.report import export, page
from inboxstats.report.model import Report, build
from inboxstats.report.wording import cell

from .conftest import NOW

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def test_the_page_says_how_much_of_the_text_has_arrived(arriving: Report, pages: dict[str, str]) -> None:
    said = "3 of 4 messages so far by their headers alone"
    assert said in page.render(arriving)
    assert "headers alone" not in pages["ordinary"]


@pytest.fixture(scope="module")
def pages(ordinary: Report, empty: Report, hostile: Report, wordy: Report) -> dict[str, str]:
    """The page of each report, drawn once."""
    reports = {"ordinary": ordinary, "empty": empty, "hostile": hostile, "wordy": wordy}
    return {kind: page.render(report) for kind, report in reports.items()}


@pytest.fixture
def files(pages: dict[str, str], tmp_path: Path) -> dict[str, Path]:
    """The same as files."""
    for kind, html in pages.items():
        (tmp_path / f"{kind}.html").write_text(html, "utf-8")
    return {kind: tmp_path / f"{kind}.html" for kind in pages}


class Visit:
    """A page that is open, and all that it did which a report must not do."""

    def __init__(self, browser: Browser, path: Path, *, width: int, scheme: Any = "light") -> None:
        self.misdeeds: list[str] = []
        self._address = path.as_uri()
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("request", self._note_request)
        self.page.on("console", lambda message: self.misdeeds.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.misdeeds.append(f"error: {error}"))
        self.page.on("dialog", self._note_dialog)
        self.page.goto(self._address)
        self.page.wait_for_load_state("networkidle")

    def _note_request(self, request: Any) -> None:
        if request.url != self._address and not request.url.startswith("data:"):
            self.misdeeds.append(f"request: {request.url}")

    def _note_dialog(self, dialog: Any) -> None:
        self.misdeeds.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["ordinary", "empty", "hostile", "wordy"])
def test_nothing_runs_nothing_leaves_nothing_sticks_out(
    kind: str, width: int, scheme: str, browser: Browser, files: dict[str, Path]
) -> None:
    visit = Visit(browser, files[kind], width=width, scheme=scheme)
    figures = visit.page.eval_on_selector_all("img", "all => all.map(image => image.naturalWidth)")
    shown = visit.page.evaluate("document.documentElement.scrollWidth")
    scripts = visit.page.evaluate(
        "document.querySelectorAll('script, iframe, object, form, [onload], [onerror]').length"
    )
    visit.page.close()
    assert visit.misdeeds == []
    assert len(figures) == {"ordinary": 10, "empty": 0, "hostile": 11, "wordy": 11}[kind]
    assert all(natural > 0 for natural in figures)
    assert shown <= width
    assert scripts == 0


def test_a_policy_that_is_broken_is_noticed(browser: Browser, tmp_path: Path, pages: dict[str, str]) -> None:
    broken = pages["ordinary"].replace("</main>", "<script>alert(1)</script><img src='http://127.0.0.1:9/x'></main>")
    (tmp_path / "report.html").write_text(broken, "utf-8")
    visit = Visit(browser, tmp_path / "report.html", width=1280)
    visit.page.close()
    assert len([misdeed for misdeed in visit.misdeeds if "Content Security Policy" in misdeed]) == 2


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_each_reader_gets_a_figure_of_their_own(
    width: int, scheme: str, browser: Browser, files: dict[str, Path], ordinary: Report
) -> None:
    visit = Visit(browser, files["ordinary"], width=width, scheme=scheme)
    chosen = visit.page.eval_on_selector("#senders img", "image => [image.currentSrc, image.width]")
    background = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    visit.page.close()
    sources = page.figures(ordinary["senders"])
    assert chosen[0] == sources[f"{scheme} {'narrow' if width == 390 else 'wide'}"]
    assert chosen[1] == (340 if width == 390 else 590)  # its own size: twelve pixels of text are twelve pixels
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(27, 31, 38)")


@pytest.mark.parametrize("kind", ["ordinary", "hostile", "wordy"])
def test_the_tables_hold_the_figures_of_report_json(
    kind: str, pages: dict[str, str], request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(kind)
    tables = Tables()
    tables.feed(pages[kind])
    for name, statistic in export.to_json(report)["statistics"].items():
        if report[name].is_empty:
            assert name not in tables.rows
            continue
        columns = statistic["columns"]
        if name == "busy_hours":  # a grid on the page: the hour, then Monday to Sunday
            assert columns == ["weekday", "hour", "messages"]
            grid = {(day, hour): count for day, hour, count in statistic["rows"]}
            hours = [[hour, *(grid[day, hour] for day in range(1, 8))] for hour in range(24)]
            assert tables.rows[name] == [list(map(str, line)) for line in hours]
            continue
        wanted = [
            [
                str(value) if isinstance(value, int | float) else cell(column, value)
                for column, value in zip(columns, line, strict=True)
            ]
            for line in statistic["rows"]
        ]
        assert tables.rows[name] == wanted


def test_the_page_reconciles_and_names_what_could_not_be_read(pages: dict[str, str]) -> None:
    html = pages["ordinary"]
    assert "7 files = 5 messages + 1 duplicate + 1 unreadable" in html
    assert "INBOX/7.eml" in html
    assert "too large" in html
    assert "5 January 2026 to 2 March 2026" in html


def test_of_many_unreadable_files_the_page_names_the_first_and_says_where_all_are() -> None:
    unreadable = [(f"INBOX/{number:04d}.eml", "Permission denied") for number in range(1_001)]
    html = page.render(build(dataset(unreadable=1_001), generated=NOW, top=0, unreadable=unreadable))
    tables = Tables()
    tables.feed(html)
    assert "1,001 files = 0 messages + 0 duplicates + 1,001 unreadable" in html
    assert "The first 1,000 of 1,001 files with the reason; report.json and unreadable.csv have all" in html
    assert tables.rows["unreadable"][-1] == ["INBOX/0999.eml", "Permission denied"]


def test_filters_zone_and_clock_are_told() -> None:
    data = dataset(row(), mailboxes=("INBOX",), timezone="Europe/Berlin", clock="received", duplicates="keep")
    html = page.render(build(data, generated=NOW, top=0))
    for fact in ("mailbox INBOX", "Europe/Berlin", "when messages arrived", "counted each time", "03:15 CET"):
        assert fact in html


def test_no_mail_is_said_kindly_and_draws_no_axes(pages: dict[str, str]) -> None:
    assert "<h1>No messages</h1>" in pages["empty"]
    assert "here yet" in pages["empty"]
    assert "no message has a date" not in pages["empty"]
    assert "<img" not in pages["empty"]


def test_filters_that_leave_nothing_are_named_beneath_the_heading() -> None:
    nothing = dataset(row(), mailboxes=("INBOX",), since=date(2027, 3, 3))
    html = page.render(build(nothing, generated=NOW, top=0))
    assert "<h1>No messages</h1>" in html
    assert '<p class="period">in mailbox INBOX, since 3 March 2027</p>' in html


def test_a_long_table_is_cut_and_says_where_the_rest_is() -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        row(number, sender=f"{number:04d}@example.org", when=(first + timedelta(days=number)).isoformat())
        for number in range(1001)
    ]
    data = dataset(*rows)
    html = page.render(build(data, generated=NOW, top=0))
    tables = Tables()
    tables.feed(html)
    assert "The first 1,000 of 1,001 rows; report.json and the CSV files have all" in html
    assert [tables.rows["senders"][at][0] for at in (0, -1)] == ["0000@example.org", "0999@example.org"]
    assert "The last 1,000 of 1,001 rows; report.json and the CSV files have all" in html
    # 366 + 365 days are 2020 and 2021; 2022-09-28 is day 270 of its year, the 1,001st in all.
    assert [tables.rows["days"][at][0] for at in (0, -1)] == ["2020-01-02", "2022-09-27"]
    assert "The first 20 of 1,001 rows<" in page.render(build(data, generated=NOW, top=20))


def test_a_table_that_top_and_the_page_cut_says_what_the_files_have() -> None:
    rows = [row(number, sender=f"{number:04d}@example.org") for number in range(1003)]
    html = page.render(build(dataset(*rows), generated=NOW, top=1002))
    assert "The first 1,000 of 1,003 rows; report.json and the CSV files have 1,002" in html


def test_a_moved_mailbox_is_told() -> None:
    moved = dataset(row(internal_date=NOW), clock="received")
    assert "--clock date counts by that header" in page.render(build(moved, generated=NOW, top=0))
    assert "--clock date" not in page.render(build(dataset(row(internal_date=NOW)), generated=NOW, top=0))


@pytest.mark.parametrize(
    ("kind", "section", "columns"),
    [
        ("ordinary", "senders", ["Address", "Messages", "Last"]),
        ("wordy", "sender_words", ["Address", "Keyword", "Messages"]),
        ("wordy", "rising", ["Keyword", "Messages", "Before", "Growth"]),
    ],
)
def test_on_a_telephone_the_count_is_in_sight(
    kind: str, section: str, columns: list[str], browser: Browser, files: dict[str, Path]
) -> None:
    visit = Visit(browser, files[kind], width=390)
    edges = visit.page.eval_on_selector_all(
        ".table", "all => all.map(box => [box.closest('section').id, box.scrollWidth, box.clientWidth])"
    )
    names = visit.page.eval_on_selector_all(
        f"#{section} thead th", "all => all.filter(e => e.offsetWidth).map(e => e.textContent)"
    )
    visit.page.close()
    assert [edge for edge in edges if edge[1] > edge[2]] == []
    assert names == columns


def test_print_leaves_out_what_the_figures_tell_and_cuts_the_rest(browser: Browser, tmp_path: Path) -> None:
    rows = [
        row(number, sender=f"{number:03d}@example.org", when=f"20{number // 12:02d}-{number % 12 + 1:02d}-01T09:00:00Z")
        for number in range(300)
    ]
    (tmp_path / "report.html").write_text(page.render(build(dataset(*rows), generated=NOW, top=0)), "utf-8")
    visit = Visit(browser, tmp_path / "report.html", width=720)
    visit.page.emulate_media(media="print")
    printed = visit.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.table')].map(box => [box.closest('section').id,
        [...box.querySelectorAll('tbody tr')].filter(row => row.offsetHeight).map(row => row.cells[0].innerText)]))"""
    )
    leaves = len(re.findall(rb"/Type\s*/Page\b", visit.page.pdf(format="A4")))
    visit.page.close()
    assert (printed["days"], printed["hours"], printed["busy_hours"]) == ([], [], [])
    assert printed["senders"] == [f"{number:03d}@example.org" for number in range(25)]
    # 300 months end in December 2024; 25 are two years and one month.
    assert (printed["months"][0], printed["months"][-1], len(printed["months"])) == ("2022-12", "2024-12", 25)
    assert leaves < 8


def test_a_statistic_that_counted_nothing_says_so(pages: dict[str, str]) -> None:
    html = page.render(build(dataset(row(when=None)), generated=NOW, top=0))
    assert html.count("Nothing to count here") == 8  # five of time, keywords, attachments, lists
    assert html.count("No word stands out") == 3  # rising, of senders, of months
    assert "Nothing to count here" not in pages["ordinary"]


def test_the_same_report_is_the_same_bytes_and_made_in_a_few_seconds(hostile: Report, pages: dict[str, str]) -> None:
    start = time.process_time()
    assert page.render(hostile) == pages["hostile"]
    assert time.process_time() - start < 10  # 1.5 s on an idle core


class Tables(HTMLParser):
    """The body rows of each section's table; a number as its exact value, a text as it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self._section = ""
        self._cell: str | None = None
        self._value: str | None = None
        self._body = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "section":
            self._section = attributes.get("id") or ""
        elif tag == "tbody":
            self._body = True
            self.rows[self._section] = []
        elif tag == "tr" and self._body:
            self.rows[self._section].append([])
        elif tag in ("td", "th") and self._body:
            self._cell, self._value = "", None
        elif tag == "data":
            self._value = attributes["value"]

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "tbody":
            self._body = False
        elif tag in ("td", "th") and self._cell is not None:
            self.rows[self._section][-1].append(self._cell if self._value is None else self._value)
            self._cell = None
