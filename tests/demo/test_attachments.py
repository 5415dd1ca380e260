"""Every attachment is opened by a program that knows nothing of how it was made."""

import zipfile
from datetime import UTC, datetime
from io import BytesIO
from random import Random
from xml.etree import ElementTree

from PIL import Image

from inboxstats.demo.attachments import KINDS, File

WHEN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def attached(kind: str, title: str = "Budget (März)") -> File:
    return KINDS[kind](title, WHEN, Random(7))


def test_a_picture_opens_and_its_checksums_hold() -> None:
    with Image.open(BytesIO(attached("png").content)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (120, 80))
        assert len(picture.getcolors(9_600) or []) > 50


def test_a_pdf_points_at_each_of_its_objects() -> None:
    content = attached("pdf").content
    assert content.startswith(b"%PDF-1.4\n")
    assert content.endswith(b"%%EOF\n")
    table = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert content[table:].startswith(b"xref\n0 5\n")
    for number, line in enumerate(content[table:].splitlines()[3:7], start=1):
        assert content[int(line[:10]) :].startswith(b"%d 0 obj\n" % number)
    assert rb"(Budget \(M" in content  # brackets in a string are escaped


def test_a_sheet_is_a_zip_of_xml_with_twelve_rows() -> None:
    file = attached("xlsx")
    assert file.name == "budget--märz-2026-03.xlsx"
    with zipfile.ZipFile(BytesIO(file.content)) as zipped:
        assert zipped.testzip() is None
        trees = {name: ElementTree.fromstring(zipped.read(name)) for name in zipped.namelist()}
    assert "[Content_Types].xml" in trees
    assert len(trees["xl/sheet1.xml"].findall(".//{*}row")) == 12


def test_a_log_is_zipped() -> None:
    with zipfile.ZipFile(BytesIO(attached("zip").content)) as zipped:
        assert zipped.testzip() is None
        assert len(zipped.read("export.log").splitlines()) == 200


def test_an_invitation_is_for_a_later_day() -> None:
    lines = attached("ics").content.decode().split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    [start] = [line.removeprefix("DTSTART:") for line in lines if line.startswith("DTSTART:")]
    assert datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=UTC) > WHEN
