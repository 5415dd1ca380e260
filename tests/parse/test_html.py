import pytest
from corpora import Corpora
from selectolax.lexbor import LexborHTMLParser

from inboxstats.parse.charset import decode
from inboxstats.parse.headers import read_section, start_of_message
from inboxstats.parse.html import html_text
from inboxstats.parse.mime import Limits, content, read_body


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        ("a<b>b</b>c <a href='x'>d</a>", ["abc d"]),
        ("<p>one<p>two<br>three</p>four", ["one", "two", "three", "four"]),
        ("<TABLE><TR><TD\nwidth=1>a<TD>b</TABLE>", ["a", "b"]),
        ("2 < 3 <and> <3 &lt;b&gt; &amp;amp; &eacute;&#233;&#xe9;", ["2 < 3", "<3 <b> &amp; ééé"]),
        ("a<!-- b <p> c -->d<!---->e<!-- f", ["ade"]),
        ("a<script>if (1<2) { '</b>' }</script>b<STYLE>p{}</Style >c", ["a", "b", "c"]),
        ("<head><meta a=b><title>t</title></head><body>a", ["a"]),
        ("a<blockquote>b</blockquote><blockquote type='cite'>c<blockquote>d</blockquote>e</blockquote>f",
         ["a", "b", ">", "f"]),
        (f"&#{'9' * 5000}; &#xD800; &#0;", ["\ufffd \ufffd \ufffd"]),
        ("<", ["<"]),
        ("", []),
    ],
)  # fmt: skip
def test_a_page_reads_as_in_a_browser_a_line_a_block(page: str, lines: list[str]) -> None:
    assert [line.strip() for line in html_text(page).split("\n") if line.strip()] == lines


def test_real_pages_have_the_letters_that_a_browsers_parser_finds(corpora: Corpora) -> None:
    pages = [page for data in corpora.messages(every=2).values() for page in pages_of(data)]
    differ = [page for page in pages if letters(html_text(page)) != letters(lexbor_text(page))]

    # What is left: tags inside attributes, and tables whose stray text a browser moves in front of them.
    assert len(pages) > 400
    assert len(differ) <= len(pages) * 0.03


def pages_of(data: bytes) -> list[str]:
    """The HTML parts of a message, without those where we mean to differ: quotations are left out, and a mail program
    runs no scripts, so that it shows what is meant for those who run none."""
    limits = Limits()
    section = read_section(data, start_of_message(data), len(data), limit=limits.header_bytes)
    leaves = read_body(data, section, limits).leaves
    pages = [
        decode(content(data, leaf), leaf.content_type().token(b"charset"))
        for leaf in leaves
        if leaf.media_type == "text/html"
    ]
    return [page for page in pages if "<blockquote" not in page.lower() and "<noscript" not in page.lower()]


def lexbor_text(page: str) -> str:
    tree = LexborHTMLParser(page)
    tree.strip_tags(
        ["iframe", "math", "noembed", "noframes", "script", "select", "style", "svg", "template", "textarea", "title"]
    )
    return tree.root.text() if tree.root else ""


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
