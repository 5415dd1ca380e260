"""Small genuine files to attach: each opens in the program that it is for.

Nothing is deflated, since the bytes that a compressor gives differ from one zlib to the next.
"""

import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from random import Random
from zlib import adler32, crc32

WIDTH, HEIGHT = 120, 80
ZIP_EPOCH = (2026, 1, 1, 0, 0, 0)
UNIX = 3


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as its reader should find it."""

    name: str
    media_type: str
    content: bytes


def png(title: str, when: datetime, rng: Random) -> File:
    """A sunset: a picture of 120 by 80 pixels."""
    sky = bytes(
        level for shade in range(WIDTH + HEIGHT) for level in (255 - shade // 2, 120 + shade // 3, 60 + shade // 2)
    )
    rows = b"".join(b"\0" + sky[3 * row : 3 * (row + WIDTH)] for row in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    comment = b"Title\0" + title.encode("latin-1", "replace")
    chunks = ((b"IHDR", header), (b"tEXt", comment), (b"IDAT", _stored(rows)), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)
    return File(f"IMG_{when:%m%d}_{rng.randrange(1000, 9999)}.png", "image/png", content)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


def _stored(data: bytes) -> bytes:
    """A zlib stream of stored blocks (RFC 1950 and 1951)."""
    pieces = [data[start : start + 65_535] for start in range(0, len(data), 65_535)]
    blocks = (
        struct.pack("<BHH", number == len(pieces), len(piece), 0xFFFF ^ len(piece)) + piece
        for number, piece in enumerate(pieces, start=1)
    )
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", adler32(data))


def pdf(title: str, when: datetime, rng: Random) -> File:
    """One page with the title, the day and a column of figures."""
    lines = [title, f"{when:%d.%m.%Y}", "", *(f"Item {n}   {rng.randrange(5, 900)}.00" for n in range(1, 30))]
    shown = " ".join(f"({_pdf_escaped(line)}) Tj T*" for line in lines)
    page = f"BT /F1 12 Tf 16 TL 72 770 Td {shown} ET".encode("latin-1", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
    )
    return File(f"{when:%Y-%m-%d}-{rng.randrange(1000, 9999)}.pdf", "application/pdf", _pdf_file(objects))


def _pdf_escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf_file(objects: tuple[bytes, ...]) -> bytes:
    content = b"%PDF-1.4\n"
    table = b"0000000000 65535 f \n"
    for number, body in enumerate(objects, start=1):
        table += b"%010d 00000 n \n" % len(content)
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size = len(objects) + 1
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(content))
    return content + b"xref\n0 %d\n" % size + table + end


def xlsx(title: str, when: datetime, rng: Random) -> File:
    """A sheet of twelve months by eight figures."""
    cells = "".join(
        "<row>" + "".join(f"<c><v>{rng.randrange(100, 9_999)}</v></c>" for _ in range(8)) + "</row>" for _ in range(12)
    )
    main, office = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    relations, types = (
        f"{office}/package/2006/relationships",
        "application/vnd.openxmlformats-officedocument.spreadsheetml",
    )
    rels = f"{office}/officeDocument/2006/relationships"
    entries = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{relations}">'
        f'<Relationship Id="r1" Type="{rels}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rels}">'
        '<sheets><sheet name="Plan" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{relations}">'
        f'<Relationship Id="r1" Type="{rels}/worksheet" Target="sheet1.xml"/></Relationships>',
        "xl/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    return File(f"{_slug(title)}-{when:%Y-%m}.xlsx", f"{types}.sheet", _zipped(entries))


def archive(title: str, when: datetime, rng: Random) -> File:
    """A log of 200 lines, zipped."""
    lines = "".join(f"{when:%Y-%m-%dT%H:%M}:{n % 60:02} arrivals {rng.randrange(2000)} ms\n" for n in range(200))
    return File(f"{_slug(title)}-log.zip", "application/zip", _zipped({"export.log": lines}))


def ics(title: str, when: datetime, rng: Random) -> File:
    """An invitation for some working hour of the next days."""
    start = (when + timedelta(days=rng.randrange(1, 6))).replace(hour=rng.randrange(9, 17), minute=0, second=0)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Harbour//Calendar//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        f"UID:{rng.getrandbits(64):016x}@harbour.example",
        f"DTSTAMP:{when:%Y%m%dT%H%M%S}",
        f"DTSTART:{start:%Y%m%dT%H%M%S}",
        "DURATION:PT45M",
        f"SUMMARY:{title}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return File("invite.ics", "text/calendar", "\r\n".join(lines).encode())


def _slug(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")[:30]


def _zipped(entries: Mapping[str, str]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as zipped:
        for name, text in entries.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system = UNIX  # else it is the platform's
            zipped.writestr(entry, text.encode())
    return buffer.getvalue()


KINDS: Mapping[str, Callable[[str, datetime, Random], File]] = {
    "png": png,
    "pdf": pdf,
    "xlsx": xlsx,
    "zip": archive,
    "ics": ics,
}
"""Every kind of attachment, by the name that cast.py uses: title, when, rng → File."""
