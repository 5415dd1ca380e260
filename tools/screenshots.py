"""Makes the README's pictures from the demo: the page in Chromium, light and dark, wide and narrow, and the terminal.

    make screenshots        wants Chromium (Debian: apt-get install chromium fonts-noto-cjk)

The demo's calendar is fixed, so that the pictures change only when the program does.
"""

import io
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from inboxstats import demo
from inboxstats.cli.output import FetchBar, ParseBar
from inboxstats.report import terminal
from inboxstats.report.model import Report

IMAGES = Path(__file__).parents[1] / "docs" / "images"
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
SHOTS = {
    "page-light": ("light", 1280, 1400),
    "page-dark": ("dark", 1280, 1400),
    "phone-light": ("light", 390, 1400),
    "phone-dark": ("dark", 390, 1400),
}


def main() -> None:
    """Run the demo, and photograph what it made."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is missing. Install it (Debian: apt-get install chromium).")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        done = demo.run(
            Path(folder),
            messages=2000,
            seed=2026,
            threads=8,
            engine="processes",
            workers=None,
            timezone="Europe/Berlin",
            now=NOW,
            watcher=FetchBar(shown=False),
            progress=ParseBar(shown=False),
        )
        (Path(folder) / "terminal.html").write_text(_terminal(done.report))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for name, (scheme, width, height) in SHOTS.items():
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.goto((done.folder / "report.html").as_uri())
                page.screenshot(path=IMAGES / f"{name}.png")
            _photograph_terminal(browser.new_page(device_scale_factor=1.5), Path(folder) / "terminal.html")
            browser.close()


def _terminal(report: Report) -> str:
    """The summary as a terminal of 80 columns shows it."""
    console = Console(
        file=io.StringIO(), width=80, record=True, force_terminal=True, highlight=False, markup=False, emoji=False
    )
    terminal.render(report, console)
    return console.export_html(
        inline_styles=True,
        code_format='<body style="margin:0"><pre style="display:inline-block;margin:0;padding:16px;background:#111827;'
        "color:#e5e7eb;font:14px/1.35 'DejaVu Sans Mono',monospace\">{code}</pre></body>",
    )


def _photograph_terminal(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    page.locator("pre").screenshot(path=IMAGES / "terminal.png")


if __name__ == "__main__":
    main()
