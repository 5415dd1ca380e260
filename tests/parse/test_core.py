"""What is compiled says the same as what is not: by hand, by whatever hypothesis finds, and on whole messages."""

import importlib.util
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from corpora import Corpora
from hypothesis import given, settings
from hypothesis import strategies as st
from uncompiled import uncompiled_reader

from inboxstats.parse import Read, core, html, marking, read_all, uncompiled

try:
    from inboxstats.parse import _compiled
except ImportError:
    _compiled = None

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOT_BUILT = "nothing is compiled here: a compiler or Python's headers were missing, or compiled/ has a fault"


@pytest.fixture(scope="session")
def compiled() -> ModuleType:
    if _compiled is None and os.environ.get("CI") == "true":
        pytest.fail(NOT_BUILT)
    if _compiled is None:
        pytest.skip(NOT_BUILT)
    return _compiled


@pytest.fixture(params=["compiled", "uncompiled"])
def either(request: pytest.FixtureRequest) -> ModuleType:
    """Both of them, one after the other."""
    module: ModuleType = request.getfixturevalue("compiled") if request.param == "compiled" else uncompiled
    return module


def long_word(token: str) -> str:
    """A keyword is what has four letters, without its last apostrophe."""
    word = token.removesuffix("'")
    return word if len(word) > 3 else ""


def test_what_was_built_is_what_is_used(compiled: ModuleType) -> None:
    assert core.IS_COMPILED
    assert core.Vocabulary is compiled.Vocabulary
    assert core.from_base64 is compiled.from_base64


@pytest.mark.parametrize("built", [{}, {"CONTRACT": 1}])
def test_what_was_built_of_older_sources_is_not_used(built: dict[str, int]) -> None:
    older = ModuleType("inboxstats.parse._compiled")
    vars(older).update(built)

    assert not core_beside(older).IS_COMPILED


def core_beside(built: ModuleType) -> ModuleType:
    """core.py where this stands for what was built."""
    with patch.dict(sys.modules, {"inboxstats.parse._compiled": built}):
        found = importlib.util.find_spec("inboxstats.parse.core")
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
    return module


def test_words_come_once_in_their_order_and_phrases_end_at_a_mark(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(long_word)
    text = b"barley malt\1hops barley  malt' of malt hops\1\1 yeast"

    phrases = "barley malt\nhops barley\nmalt hops"
    assert vocabulary.chosen(text, 100, 100) == ("barley\nmalt\nhops\nyeast", phrases, set())
    assert vocabulary.chosen(text, 100, 2) == ("barley\nmalt", phrases, set())
    assert vocabulary.chosen(text, 5, 100)[1] == "barley malt\nhops barley"  # the mark is the third of the five
    assert vocabulary.chosen(b"", 100, 100) == ("", "", set())
    assert vocabulary.chosen(text, 0, 0) == ("", "", set())


def test_it_is_told_which_of_certain_words_are_there(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(long_word, told=frozenset({"malt", "hops", "yeast"}))

    assert vocabulary.chosen(b"barley malt' hops malt", 100, 100)[2] == {"malt", "hops"}
    assert vocabulary.chosen(b"barley malt' hops malt", 100, 2)[2] == {"malt"}
    assert vocabulary.chosen(b"barley", 100, 100)[2] == set()


BALLOTS = {"gerste": b"\0\2\1", "hopfen": b"\3\0\1", "mälz": b"\0\0\xff"}
"""What each gives to three candidates."""


def voters(of: ModuleType) -> uncompiled.Vocabulary:
    """Those who vote, of whom two are told, and one more without a ballot."""
    vocabulary: uncompiled.Vocabulary = of.Vocabulary(long_word, told=frozenset({"gerste", "hopfen"}))
    vocabulary.chosen("hopfen gerste mälz hefe of".encode(), 0, 0)
    vocabulary.close(BALLOTS, 3)
    return vocabulary


def test_the_first_words_vote_as_often_as_they_are_there(either: ModuleType) -> None:
    elected = voters(either).elected

    assert elected(b"gerste\1hopfen gerste hefe", 5) == (1, 4, 2)  # 3, 4 and 3 votes
    assert elected(b"gerste\1hopfen gerste", 2) == (1, 2, 1)  # the mark is the second of the two
    assert elected(b"hopfen gerste gerste", 2) == (0, 3, 2)
    assert elected("mälz gerste".encode(), 5) == (2, 256, 1)
    assert elected("mälz ".encode() * 300, 256) == (2, 256 * 255, 0)
    assert elected(b"a " * 5_000 + b"gerste", 256) == (0, 0, 0)
    assert elected(b"gerste hopfen gerste gerste hopfen hopfen hopfen", 5) == (0, 6, 2)  # 6, 6 and 5: the first one
    assert elected(b"gerste", 0) == (0, 0, 0)


def test_a_token_is_asked_for_once(either: ModuleType) -> None:
    asked: list[str] = []

    def keyword_of(token: str) -> str:
        asked.append(token)
        return token

    vocabulary = either.Vocabulary(keyword_of)
    for _ in range(3):
        vocabulary.chosen("barley hops straße barley".encode(), 100, 100)

    assert asked == ["barley", "hops", "straße"]


def test_a_plain_token_is_its_own_keyword_by_rule_and_is_not_asked_for(either: ModuleType) -> None:
    asked: list[str] = []

    def keyword_of(token: str) -> str:
        asked.append(token)
        return token.strip("'")

    vocabulary = either.Vocabulary(keyword_of, frozenset({"with", "hops"}), 3, 6)
    text = "barley with hops of malt oooo barleys h2o mälz 'malt' ёж еееёёё ёёёё ячмени хмель ไทย näh".encode()

    words, phrases, _ = vocabulary.chosen(text, 100, 100)
    assert words == "barley\nmalt\nh2o\nmälz\nеееёёё\nячмени\nхмель\nไทย\nnäh"
    assert phrases == "h2o mälz\nmälz malt\nячмени хмель\nхмель ไทย\nไทย näh"
    assert asked == ["h2o", "'malt'", "ไทย", "näh"]
    assert len(vocabulary) == 17
    with pytest.raises(ValueError, match="no less than 0"):
        either.Vocabulary(str, frozenset(), -1, 6)


def test_a_closed_vocabulary_meets_no_more_tokens(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(str)
    vocabulary.chosen("barley mälz".encode(), 0, 0)
    vocabulary.close({"hops": b"\1", "mälz": b"\1"}, 1)

    assert vocabulary.elected("hops barley\1mälz barley".encode(), 100) == (0, 1, 0)
    assert vocabulary.chosen("hops barley\1mälz barley".encode(), 100, 100)[0] == "barley\nmälz"
    assert len(vocabulary) == 2


def test_who_cannot_vote_or_be_voted_for_is_refused(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(str)
    vocabulary.chosen(b"barley", 0, 0)
    with pytest.raises(ValueError, match="before it is closed"):
        vocabulary.elected(b"barley", 1)
    for candidates in (0, -1, 65):
        with pytest.raises(ValueError, match="1 to 64 candidates"):
            vocabulary.close({}, candidates)
    for ballot in (b"", b"\1", b"\1\1\1"):
        with pytest.raises(ValueError, match="an octet for each candidate"):
            vocabulary.close({"barley": ballot}, 2)
    vocabulary.close({"barley": bytes(63) + b"\7"}, 64)
    with pytest.raises(ValueError, match="closed once"):
        vocabulary.close({}, 64)

    assert vocabulary.elected(b"barley", 1) == (63, 7, 0)


def test_a_long_token_is_read_like_any_other(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(lambda token: token[:3])
    text = b" ".join([b"x" * 10_000, b"y" * 255, b"z" * 256, b"x" * 10_000])

    assert vocabulary.chosen(text, 100, 100) == ("xxx\nyyy\nzzz", "xxx yyy\nyyy zzz\nzzz xxx", set())


def test_a_phrase_may_be_of_any_length(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(lambda token: token * 1_000)

    assert vocabulary.chosen(b"a bc", 100, 100)[1] == "a" * 1_000 + " " + "bc" * 1_000


@pytest.mark.parametrize("fault", [ValueError("odd"), MemoryError()])
def test_what_a_keyword_raises_is_raised(either: ModuleType, fault: Exception) -> None:
    def keyword_of(token: str) -> str:
        if token == "hops":
            raise fault
        return token

    vocabulary = either.Vocabulary(keyword_of)
    with pytest.raises(type(fault)):
        vocabulary.chosen(b"barley hops", 100, 100)
    assert vocabulary.chosen(b"barley malt", 100, 100)[0] == "barley\nmalt"


@pytest.mark.parametrize(("opening", "most"), [(-1, 1), (257, 1), (1, -1)])
def test_no_opening_is_longer_than_there_is_room_for(either: ModuleType, opening: int, most: int) -> None:
    with pytest.raises(ValueError, match="opening is 0 to 256"):
        either.Vocabulary(long_word).chosen(b"barley", opening, most)


@pytest.mark.parametrize("most", [-1, 257])
def test_no_more_words_vote_than_there_is_room_for(either: ModuleType, most: int) -> None:
    with pytest.raises(ValueError, match="most is 0 to 256"):
        voters(either).elected(b"gerste", most)


def test_what_is_no_keyword_and_no_text_is_refused(compiled: ModuleType) -> None:
    with pytest.raises(TypeError, match="a keyword is text"):
        compiled.Vocabulary(len).chosen(b"barley", 1, 1)
    with pytest.raises(TypeError, match="a keyword is text"):  # its own __hash__ could add keywords meanwhile
        compiled.Vocabulary(type("Text", (str,), {})).chosen(b"barley", 1, 1)
    with pytest.raises(TypeError):
        compiled.Vocabulary(long_word).chosen("barley", 1, 1)
    with pytest.raises(TypeError):
        compiled.Vocabulary(long_word).close([], 1)
    with pytest.raises(UnicodeDecodeError):
        compiled.Vocabulary(long_word).chosen(b"\xff", 1, 1)
    with pytest.raises(UnicodeEncodeError):
        compiled.Vocabulary(lambda _: "\ud800").chosen(b"barley", 1, 1)
    with pytest.raises(ValueError, match="no more than three octets"):
        compiled.Characters(lambda _: "four", bytes(128)).translated("\u00e9")
    with pytest.raises(ValueError, match="128 octets"):
        compiled.Characters(str, bytes(127))
    for plain, labelling in (("\u0e01", ""), ("", "\u0e01")):
        with pytest.raises(ValueError, match=r"beyond U\+07FF"):
            compiled.Lines(plain, labelling, ())
    with pytest.raises(ValueError, match="more than 8"):
        compiled.Lines("a", "", ("a",) * 9)
    for start in ("é", ""):
        with pytest.raises(ValueError, match="ASCII"):
            compiled.Lines("a", "", (start,))
    with pytest.raises(TypeError):
        compiled.Lines("a", "", (b"a",))
    with pytest.raises(TypeError):
        compiled.Lines("a", "", ()).read(b"a")
    with pytest.raises(TypeError):
        compiled.Lines("a", "", ()).without_addresses(b"a")
    with pytest.raises(ValueError, match="more than 32"):
        compiled.Fields((b"from",) * 33)
    with pytest.raises(TypeError):
        compiled.Fields(("from",))
    with pytest.raises(TypeError):
        compiled.Fields((b"from",)).read("From: a", 0, 7)
    with pytest.raises(TypeError):
        compiled.end_of_section("From: a", 0, 7)
    with pytest.raises(TypeError):
        compiled.next_delimiter(b"From: a", 0, 7, "b")
    with pytest.raises(TypeError, match="takes 4 arguments, not 3"):
        compiled.next_delimiter(b"From: a", 0, 7)
    for start, end in (("0", 7), (0, "7"), (0, 1 << 70)):
        with pytest.raises((TypeError, OverflowError)):
            compiled.with_lf(b"From: a", start, end)


words = st.text(st.sampled_from("ab'éя漢"), min_size=1, max_size=12)
texts = st.lists(st.one_of(words, st.sampled_from(["\1", " ", "\1\1", " \1 "])), max_size=200)


@given(st.lists(texts, min_size=1, max_size=3), st.integers(0, 256), st.integers(0, 30))
def test_a_text_has_the_same_words_in_both(
    compiled: ModuleType, several: list[list[str]], opening: int, most: int
) -> None:
    stops = frozenset({"aab", "bba"})
    told = frozenset({"aabb", "ab", "漢é"})
    both = [module.Vocabulary(long_word, stops, 2, 5, told) for module in (compiled, uncompiled)]
    for pieces in several:
        text = " ".join(pieces).encode()
        one, other = (vocabulary.chosen(text, opening, most) for vocabulary in both)
        assert one == other
    for vocabulary in both:
        vocabulary.close({"aabb": b"\1\2", "bbbb": b"\2\1", "漢é漢é": b"\0\xff"}, 2)
    for pieces in several:
        one, other = (vocabulary.elected(" ".join(pieces).encode(), opening) for vocabulary in both)
        assert one == other


def test_half_a_million_tokens_are_all_found_again(compiled: ModuleType) -> None:
    both = [module.Vocabulary(str) for module in (compiled, uncompiled)]
    text = " ".join(f"{number:x}" for number in range(500_000)).encode()

    assert both[0].chosen(text, 0, 500_000) == both[1].chosen(text, 0, 500_000)
    assert both[0].chosen(text, 0, 500_000)[0].endswith("\n7a11f")


def test_of_tokens_that_were_chosen_to_be_in_the_same_place_few_are_kept_and_all_are_read(compiled: ModuleType) -> None:
    alike = [token for token in (f"{number:x}" for number in range(1_000_000)) if place_of(token) == 7]
    assert len(alike) > 200
    asked: Counter[str] = Counter()

    def keyword_of(token: str) -> str:
        asked[token] += 1
        return token

    vocabulary = compiled.Vocabulary(keyword_of)
    for _ in range(3):
        assert vocabulary.chosen(" ".join(alike).encode(), 0, 10_000)[0] == "\n".join(alike)

    assert asked == dict.fromkeys(alike[:64], 1) | dict.fromkeys(alike[64:], 3)


def test_its_length_counts_the_keywords_of_tokens_that_are_not_kept(either: ModuleType) -> None:
    vocabulary = either.Vocabulary(lambda token: token[-5:])
    vocabulary.chosen(" ".join("x" * 300 + f"{number:05}" for number in range(2_000)).encode(), 0, 2_000)

    kept = 2_000 if either is not uncompiled else 0  # Python alone keeps neither
    assert len(vocabulary) == kept


def place_of(token: str) -> int:
    """Where a short token comes in a table of 4,096: tokens.c, `hash_of`."""
    head = int.from_bytes(token.encode(), "little")
    return ((head ^ len(token)) * 0x9E3779B97F4A7C15 % 2**64 >> 32) % 4_096


def test_several_threads_share_a_vocabulary(compiled: ModuleType) -> None:
    def keyword_of(token: str) -> str:
        time.sleep(0)  # here another thread may come
        return token[1:]

    vocabulary = compiled.Vocabulary(keyword_of)
    texts = [" ".join(f"{letter}{number:x}" for number in range(3_000)) for letter in "abcd"]
    expected = "\n".join(f"{number:x}" for number in range(3_000))
    found: list[str] = []

    def read(text: str) -> None:
        found.extend(vocabulary.chosen(text.encode(), 100, 10_000)[0] for _ in range(5))

    threads = [threading.Thread(target=read, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [expected] * 20


@pytest.mark.usefixtures("compiled")
def test_after_an_allocation_that_failed_all_is_said_as_before() -> None:
    """In a process of its own: here the test runner's threads would run out of memory, too."""
    script = Path(__file__).parents[1] / "out_of_memory.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert all(int(failed) > 4 for failed in done.stdout.split())


def test_what_a_character_raises_ends_the_search_for_pairs(compiled: ModuleType) -> None:
    asked: list[str] = []

    def meaning_of(character: str) -> str:
        asked.append(character)
        if character == "é":
            raise MemoryError
        return marking.APART if character == "あ" else character

    with pytest.raises(MemoryError):
        compiled.Characters(meaning_of, bytes(128)).translated("あéüö")
    assert asked == ["あ", "é"]


def test_nothing_that_was_lent_is_kept(compiled: ModuleType) -> None:
    def all_of_it() -> None:
        vocabulary = compiled.Vocabulary(long_word)
        for number in range(2_000):
            vocabulary.chosen(f"barley{number:x} hops malt\1{'x' * 300}".encode(), 100, 100)
        with pytest.raises(UnicodeDecodeError):
            vocabulary.chosen(b"barley \xff", 100, 100)
        with pytest.raises(ValueError, match="an octet for each"):
            vocabulary.close({"hops": b"\1", "barley0": b""}, 1)
        vocabulary.close({"hops": b"\1"}, 1)
        vocabulary.elected(b"barley hops", 100)
        characters = compiled.Characters(lambda _: "é", bytes(128))
        characters.translated("aé漢字")
        for text in ("abc\nd\n> \ud800", "a b@c\td//\te" + "\n>\nf" * 100, "é b@c d"):
            compiled.Lines("-", "T", ("a", "bc")).read(text)
            compiled.Lines("-", "T", ("a", "bc")).without_addresses(text)
        compiled.Pages(html._gap, html._look, html._unescaped).text("<p>a</p x>&amp;<!-- --><style><blockquote cite>é")
        with pytest.raises(TypeError):
            compiled.Pages(str, str, str).text("<p>a < b")
        for of_part in (getattr(compiled, name) for name in OF_A_PART):
            of_part(b"abc=\r\n", 0, 6)
            with pytest.raises(ValueError, match="places in the data"):
                of_part(b"abc", 1, 4)
        compiled.Fields((b"from", b"to")).read(b"From: a\n b\nTo: c\nTo: d\nno field", 0, 31)
        compiled.end_of_section(b"x\n" * 1_000 + b"\n", 400, 2_001)
        compiled.next_delimiter(b"x\n" * 1_000 + b"--b", 400, 2_003, b"b")

    all_of_it()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        counted = sys.getrefcount(long_word)
        for _ in range(5):
            all_of_it()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sys.getrefcount(long_word) == counted
    assert after - before < 10_000  # a single vocabulary is 200,000


def test_each_character_is_made_ready_alike(compiled: ModuleType) -> None:
    translated = compiled.Characters(marking._meaning, marking._TRANSLATION[:128]).translated
    by_context = 0
    for code in range(0x80, sys.maxunicode + 1):
        for text in (chr(code), f"A{chr(code)}b {chr(code)}"):
            made = translated(text)
            by_context += made is None
            assert made is None or made == marking._by_octets(text), hex(code)
    together = "ABC é Ü 漢字 あ 漢字漢字漢 🌾 \u200b"
    assert translated(together) == marking._by_octets(together)
    # Marks, the parts of Hangul, a capital sigma, surrogates, and all that lies beyond the first plane but pictures.
    assert by_context < 2 * (sys.maxunicode - 0xFFFF + 5_000)


@pytest.mark.usefixtures("compiled")
def test_a_voicing_mark_joins_the_kana_before_it() -> None:
    """U+3099 is a mark although it stands among the kana."""
    assert marking.marked("\u3053\u3099") == marking._by_octets("\u3053\u3099") == "\u3054".encode()


ODD = "aZ ß·…’“äあアン漢字会議请报゛がか가ㄱ한🌾𐐀İﬁΣσ\u00a0\u00ad\u200b\u3099\u0301\u1100\u1680\ue000\ufeff\ud800"
some = st.one_of(st.sampled_from(ODD), st.characters())


@settings(max_examples=500)
@given(st.text(some, max_size=40))
def test_a_text_is_made_ready_alike(compiled: ModuleType, text: str) -> None:
    made = compiled.Characters(marking._meaning, marking._TRANSLATION[:128]).translated(text)

    assert made is None or made == marking._by_octets(text)


@given(st.text(st.sampled_from("漢字请报会あがアa \u200b…"), max_size=60))
def test_no_text_in_chinese_and_japanese_is_left_to_python(compiled: ModuleType, text: str) -> None:
    translated = compiled.Characters(marking._meaning, marking._TRANSLATION[:128]).translated

    assert translated(text) == marking._by_octets(text)


def test_the_kinds_of_lines(either: ModuleType) -> None:
    lines = either.Lines("-+é", "TО ", ("begin ", "To you"))
    told = {
        "abc": "p",
        ">abc": "q",
        "b x@y": "a",
        "b x/y": "p",
        "b x/ /y": "a",
        "Acked-by: x@y": "o",
        "Acked-by:x@y": "a",
        "-by: x/y": "o",
        "ab>c": "m",
        "abcéab>": "m",
        "abcéabcé>": "p",
        "-abc": "o",
        "éabc": "o",
        " abc": "p",
        " abc:": "o",
        " \t": "o",
        "\u3000": "o",
        "\u3000a": "p",
        "begin 644": "o",
        "beginning": "p",
        "To: Ann": "o",
        "To all of ours: ": "p",
        "To all of our: ": "o",
        "To you all, and": "o",
        "Те": "p",
        "О, боже: да": "o",
        "О, боже мой Бог: да": "p",
        "漢:": "p",
        "\ud800": "p",
    }

    for line, kind in told.items():
        assert lines.read(f"{line}\n-") == (f"{kind}o".encode(), [line, "-"], [1, 1])
    assert either.Lines("T", "T", ()).read("To you")[0] == b"o"
    assert either.Lines(">", ">", (">",)).read("> a")[0] == b"q"


def test_lines_that_are_alike_are_a_run(either: ModuleType) -> None:
    read = either.Lines("-", "", ()).read

    assert read("") == (b"e", [""], [1])
    assert read("\n") == (b"e", ["\n"], [2])
    assert read("\n\nbarley\n\n漢字\n") == (b"p", ["\n\nbarley\n\n漢字\n"], [6])
    assert read("a\n\n>\n>b\n\n>c\n-\n-\n") == (
        b"pqeqooe",
        ["a\n", ">\n>b", "", ">c", "-", "-", ""],
        [2, 2, 1, 1, 1, 1, 1],
    )
    assert read("a\nb@c d\ne\nf@g") == (b"pppp", ["a", "d", "e", ""], [1, 1, 1, 1])
    assert read("a\nb@c d\n-") == (b"pao", ["a", "b@c d", "-"], [1, 1, 1])
    assert read("b@c d\nabc>") == (b"am", ["b@c d", "abc>"], [1, 1])
    assert read("\n".join(["a", ">"] * 100)) == (b"pq" * 100, ["a", ">"] * 100, [1] * 200)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b@c  d", "a d"),
        ("b@c", ""),
        ("a/b/ c/d e//", "c/d"),
        ("Link: a//b", ""),
        (" Link: a//b", "Link:"),
        ("Link:a@b Link:", ""),
        ("Link :a@b Link:", "Link Link:"),
        ("é: @", ""),
        ("é @ ö:", "é ö:"),
        ("ö:@ ü:", "ü:"),
        ("ö:@ ö:", ""),
        ("see\ta\u3000b c@d ü\u2003ö ", "see a b ü ö"),
        ("漢@ \ud800 é\x1cb", "\ud800 é b"),
    ],
)
def test_a_line_is_without_its_addresses(either: ModuleType, line: str, words: str) -> None:
    lines = either.Lines("", "", ())

    assert lines.read(line) == (b"p", [words], [1])
    assert lines.without_addresses(line) == words


LINE = st.text(st.one_of(st.sampled_from("abdéTО>@@//: \t\u2003漢"), st.characters()), max_size=12)
OF_TEXT = st.text(st.sampled_from("acé@/: \u3000\x1c漢\ud800"), max_size=20)


@given(st.one_of(LINE, OF_TEXT))
def test_a_line_is_without_its_addresses_in_both(compiled: ModuleType, line: str) -> None:
    one, other = (module.Lines("", "", ()).without_addresses(line) for module in (compiled, uncompiled))

    assert one == other


@settings(max_examples=500)
@given(st.one_of(st.lists(LINE, max_size=40), st.lists(OF_TEXT, max_size=40)).map("\n".join))
def test_lines_are_of_the_same_kinds_in_both(compiled: ModuleType, text: str) -> None:
    one, other = (module.Lines("bé", "TО ", ("d>", "ab", "T: ")).read(text) for module in (compiled, uncompiled))

    assert one == other


def test_each_character_is_white_space_or_not_in_both(compiled: ModuleType) -> None:
    one, other = (module.Lines("", "", ()).read for module in (compiled, uncompiled))
    for code in range(sys.maxunicode + 1):
        for text in (chr(code), f"a@{chr(code)}b"):
            assert one(text) == other(text), hex(code)


def test_fields_are_the_first_of_their_names_on_one_line_each(either: ModuleType) -> None:
    head = (
        b"From: ann@example.org\r\nSUBJECT : barley\r\n and\n\thops \r\r\nX-Other: 1\nfrom: bob@example.org\nTo:\n"
        b"Subjec: malt\n" + b"x" * 201 + b": 1\n \n"
    )

    fields = either.Fields((b"from", b"subject", b"to"))

    def read(data: bytes) -> object:
        return fields.read(b"To: 1\n" + data + b"\nTo: 2", 6, 6 + len(data))

    assert read(head) == (
        True,
        {b"from": b" ann@example.org", b"subject": b" barley and\thops ", b"to": b""},
        True,  # a name of 201 octets
    )
    assert read(b"") == (False, {}, False)
    assert read(b" \t\r\n") == (False, {}, False)
    assert read(b"no field") == (False, {}, True)
    assert read(b"To\n : folded in the name") == (True, {b"to": b" folded in the name"}, False)
    with pytest.raises(ValueError, match="places in the data"):
        fields.read(head, 0, len(head) + 1)


PIECES = st.sampled_from(
    [b"From", b"to", b"X-A", b":", b" ", b"\t", b"\n", b"\r\n", b"\r", b"\x0b", b"\x0c", b"\xff", b"\0"]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=40).map(b"".join))
def test_fields_are_the_same_in_both(compiled: ModuleType, head: bytes) -> None:
    one, other = (module.Fields((b"from", b"to")).read(head, 0, len(head)) for module in (compiled, uncompiled))

    assert one == other
    assert list(one[1]) == list(other[1])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"A: 1\nB: 2\n\nbody", (9, 11)),
        (b"A: 1\r\nB: 2\r\n\r\nbody", (11, 14)),
        (b"A: 1\r\nB: 2\n\nbody\r\n\r\n", (10, 12)),
        (b"A: 1\nB: 2\n\r\nbody\n\n", (9, 12)),
        (b"\nbody\n\n", (0, 1)),
        (b"\r\nbody\n\n", (0, 2)),
        (b"\rA: 1\n\n", (5, 7)),
        (b"A: 1\r\nB: 2\n\n\r\n", (11, 14)),  # two blank lines, and the first line's end is CRLF
        (b"A: 1\nB: 2\n\r\n\n", (11, 13)),  # it is LF
        (b"A: 1\nB: 2\n", (10, 10)),
        (b"A: 1\nB: 2\n\r", (11, 11)),
        (b"", (0, 0)),
    ],
)
def test_a_section_ends_before_its_blank_line(either: ModuleType, data: bytes, found: tuple[int, int]) -> None:
    assert either.end_of_section(data, 0, len(data)) == found
    among = b"\n\n" + data + b"\n\n"
    assert either.end_of_section(among, 2, 2 + len(data)) == (found[0] + 2, found[1] + 2)


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\r"]), max_size=14).map(b"".join), st.integers(0, 14))
@settings(max_examples=1_000)
def test_sections_end_alike_in_both(compiled: ModuleType, data: bytes, start: int) -> None:
    start = min(start, len(data))
    for end in range(start, len(data) + 1):
        assert compiled.end_of_section(data, start, end) == uncompiled.end_of_section(data, start, end)


def test_a_delimiter_is_a_line_with_nothing_behind_its_boundary(either: ModuleType) -> None:
    data = b"--a--\n--a-\r\n--a \t\n--ab\r\n--a--\x0b\x0c\r\nx--a\n--a"

    def found(boundary: bytes, start: int, end: int = len(data)) -> object:
        return either.next_delimiter(data, start, end, boundary)

    assert found(b"a", 0) == (10, 18, False)  # a line end stands before each
    assert found(b"a", 11) == (10, 18, False)  # its CR may stand before the start
    assert found(b"a", 11, 16) == (10, 16, False)
    assert found(b"a", 12) == (22, 33, True)
    assert found(b"a", 33) == (37, 41, False)
    assert found(b"a", 33, 40) is None
    assert found(b"ab", 0) == (17, 24, False)
    assert found(b"a--", 12) == (22, 33, False)
    assert found(b"", 0) is None
    assert either.next_delimiter(b"\n----\n", 0, 6, b"") == (0, 6, True)
    assert either.next_delimiter(b"\n--" + b"b" * 2_000, 0, 2_003, b"b" * 2_000) == (0, 2_003, False)
    for start, end in ((-1, 2), (2, 1), (0, len(data) + 1)):
        with pytest.raises(ValueError, match="places in the data"):
            found(b"a", start, end)


DELIMITERS = st.sampled_from(
    [b"\n--ab", b"\n--ab--", b"\n", b"\r\n", b"\r", b"-", b" ", b"\t", b"\x0b", b"\x0c", b"a", b"b"]
)


@given(st.lists(DELIMITERS, max_size=20).map(b"".join), st.sampled_from([b"ab", b"a", b"ab--", b"", b"-", b"a\rb"]))
@settings(max_examples=1_000)
def test_delimiters_are_the_same_in_both(compiled: ModuleType, data: bytes, boundary: bytes) -> None:
    for start in range(len(data) + 1):
        for end in (start, (start + len(data)) // 2, len(data)):
            one, other = (module.next_delimiter(data, start, end, boundary) for module in (compiled, uncompiled))
            assert one == other


@pytest.mark.parametrize("lines", [b"\n-", b"\n--", b"x-\n"])
def test_lines_of_hyphens_take_hardly_longer_than_in_python(compiled: ModuleType, lines: bytes) -> None:
    data = lines * (4_000_000 // len(lines))

    def seconds(module: ModuleType) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            assert module.next_delimiter(data, 0, len(data), b"b17") is None
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(compiled) < 2 * max(seconds(uncompiled), 0.001)  # 64 MB of it, for fifty multiparts, took 13 s


def test_a_page_is_read_as_is_said_of_its_tags(either: ModuleType) -> None:
    asked: list[str] = []

    def gap_of(written: str) -> str:
        asked.append(written)
        return {"b": "", "p": "\n", "/q": "/", "style": "style"}.get(written, "?")

    def look_at(tag: str, is_closed: bool) -> str:
        asked.append(f"{tag}{'>' if is_closed else ''}")
        return "<" if not is_closed else {"q a": ">", "q b": ")", "/q": "/"}.get(tag, "?")

    text = either.Pages(gap_of, look_at, html._unescaped).text

    assert text("a<b>b</b>c<b d=e>f") == "ab</b>cf"
    assert text("a<p>b<p c>d</q>e") == "a\nb\nd\ne"
    assert text("a<style>b<p>c</Styles d>e<style>f</style") == "a\ne"
    assert text("a<!-- <p> -- > --->b<!--->c<!-- > -> -->d<!-- e") == "abcd"
    assert text("a<q a>b<q b>c</q>d<p>e</q>f<q b>g< /q>") == "a\n>\nf\ng< /q>"
    assert text("a<p b<p c>d<>e<") == "ad<>e"
    assert text("&amp;<b>&<b>lt;&x#233;&#1a;&#xfg&#12345678&# &;") == "&<&x#233;a;g\ufffd&# &;"
    assert asked[:2] == ["b", "/b"]


TAGS = st.sampled_from(
    "< > <b> <p> </p> <P\tx> <!-- --> - <style> </STYLE> <blockquote> <blockquote\ncite> </blockquote> < /blockquote "
    "b ! / ? é K 漢 & &amp &lt; &#233 &#x &#99999999; &nGt; 1 a ; \t".split(" ")
)


@given(st.lists(st.one_of(TAGS, st.just(" "), st.text(max_size=3)), max_size=40).map("".join))
def test_pages_have_the_same_text_in_both(compiled: ModuleType, page: str) -> None:
    one, other = (module.Pages(html._gap, html._look, html._unescaped).text(page) for module in (compiled, uncompiled))

    assert one == other


def test_of_more_tags_than_are_kept_each_is_read(either: ModuleType) -> None:
    def gap_of(written: str) -> str:
        return "\n" if int(written, 16) % 3 else ""

    text = either.Pages(gap_of, lambda *_: "?", lambda text: text.replace("&", "+")).text
    page = "".join(f"<{number:x}>&{number:x};" for number in range(2_000))

    for _ in range(2):
        assert text(page) == "".join(("\n" if number % 3 else "") + f"+{number:x};" for number in range(2_000))


def test_several_threads_share_pages(compiled: ModuleType) -> None:
    def said(written: str) -> str:
        time.sleep(0)  # here another thread may come, whose tags and references go to the same places
        return "\n" if int(written.strip("&;"), 16) % 3 else ""

    pages = compiled.Pages(said, lambda *_: "?", said)
    numbers = {letter: [f"{letter}{number:x}" for number in range(1_000)] for letter in "abcd"}
    found: dict[str, list[str]] = {letter: [] for letter in numbers}

    def read(letter: str) -> None:
        page = "".join(f"<{number}>{number}&{number};" for number in numbers[letter])
        found[letter] = [pages.text(page) for _ in range(5)]

    threads = [threading.Thread(target=read, args=(letter,)) for letter in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for letter, texts in found.items():
        stands = {number: "\n" if int(number, 16) % 3 else "" for number in numbers[letter]}
        assert texts == ["".join(f"{gap}{number}{gap}" for number, gap in stands.items())] * 5


def test_who_is_asked_may_read_with_what_asks(either: ModuleType) -> None:
    """Hundreds of others are known then before the first is: all tokens have been moved to where there is room."""

    def keyword_of(token: str) -> str:
        if len(token) < 5:
            vocabulary.chosen(" ".join(f"{token}{digit}" for digit in range(9)).encode(), 9, 9)
        return f"{token}."

    def gap_of(written: str) -> str:
        if len(written) < 4:
            assert pages.text("".join(f"<{written}{digit}>." for digit in range(9))) == "\n." * 9
        return "\n"

    vocabulary = either.Vocabulary(keyword_of)
    pages = either.Pages(gap_of, lambda *_: "?", str)

    assert vocabulary.chosen(b"a b a", 9, 9)[:2] == ("a.\nb.", "a. b.\nb. a.")
    assert pages.text("<a>1<b>2<a>3") == "\n1\n2\n3"


def test_what_is_said_of_a_tag_may_be_wrong(compiled: ModuleType) -> None:
    def fails(*_: object) -> str:
        raise LookupError

    for faulty in ((fails, fails, str), (lambda _: "?", fails, str), (lambda _: "", fails, fails)):
        with pytest.raises(LookupError):
            compiled.Pages(*faulty).text("<a>&amp;")
    for too_much in (
        (str, fails, str),
        (lambda _: "?", lambda *_: "x" * 16, str),
        (lambda _: "", fails, lambda _: "é" * 9),
    ):
        with pytest.raises(ValueError, match=r"no more than|more said of"):
            compiled.Pages(*too_much).text(f"<{'a' * 16}>&amp;")
    with pytest.raises(UnicodeEncodeError):
        compiled.Pages(str, fails, str).text("\ud800")


OF_A_PART = ("base64_letters", "from_base64", "from_quoted_printable", "with_lf")
ENCODED = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"=", b"=\r\n", b"=3D", b"=c3", b" ", b"\t", b"QUJD", b"+/", b"a", b"\xff"]
)


@pytest.mark.parametrize("name", OF_A_PART)
@given(
    st.one_of(st.binary(max_size=700), st.lists(ENCODED, max_size=40).map(b"".join)), st.integers(0, 700), st.integers()
)
def test_parts_are_decoded_alike(compiled: ModuleType, name: str, data: bytes, start: int, length: int) -> None:
    start = min(start, len(data))
    end = start + length % (len(data) - start + 1)

    assert getattr(compiled, name)(data, start, end) == getattr(uncompiled, name)(data, start, end)


@pytest.mark.parametrize("name", OF_A_PART)
def test_each_two_octets_are_decoded_alike(compiled: ModuleType, name: str) -> None:
    one, other = (getattr(module, name) for module in (compiled, uncompiled))
    for pair in (bytes((high, low)) for high in range(256) for low in range(256)):
        for data in (pair, b"=" + pair, b"abc" + pair + b"=abc"):
            assert one(data, 0, len(data)) == other(data, 0, len(data)), data


@pytest.mark.parametrize("name", OF_A_PART)
def test_only_a_part_of_the_data_is_decoded(either: ModuleType, name: str) -> None:
    of_part = getattr(either, name)

    assert of_part(b"QUJD\r\nabc", 6, 9) == of_part(b"abc", 0, 3)
    assert not of_part(b"abc", 3, 3)
    for start, end in ((-1, 2), (2, 1), (0, 4)):
        with pytest.raises(ValueError, match="places in the data"):
            of_part(b"abc", start, end)


def test_letters_of_base64_are_those_before_the_padding(either: ModuleType) -> None:
    assert either.base64_letters(b"QUJD\r\nREU=\r\nRg==", 0, 16) == 7
    assert either.base64_letters(bytes(range(256)), 0, 256) == 12  # "+", "/" and the digits; then comes "="
    assert either.base64_letters(b"QUJD" * 1_000 + b"\n", 4, 4_001) == 3_996


def test_base64_is_read_across_debris_up_to_its_padding(either: ModuleType) -> None:
    assert either.from_base64(b"QU\r\nJDRE!VG\r\nRw==QUJD", 0, 21) == b"ABCDEFG"
    assert either.from_base64(b"QUJDRA", 0, 6) == b"ABCD"
    assert either.from_base64(b"QUJDR", 0, 5) == b"ABC"


def test_what_is_not_quoted_printable_stays_as_it_is(either: ModuleType) -> None:
    data = b"m=C3=a4lz =\r\n=3d 1=\n=2, a==b, =4\r\n=zz=\r\r\n\r=4"

    assert either.from_quoted_printable(data, 0, len(data)) == "mälz = 1=2, a=b, =4\n=zz\r=4".encode()
    assert either.from_quoted_printable(b"a=", 0, 2) == b"a"


def test_a_line_end_is_lf_where_it_was_crlf(either: ModuleType) -> None:
    assert either.with_lf(b"a\r\nb\nc\rd\r\r\n\r", 0, 12) == b"a\nb\nc\rd\r\n\r"


@pytest.fixture(scope="module")
def by_python_alone() -> Callable[[bytes], Read]:
    return uncompiled_reader()


@pytest.mark.usefixtures("compiled")
def test_each_fixture_is_the_same_message_in_both(by_python_alone: Callable[[bytes], Read]) -> None:
    paths = sorted(FIXTURES.glob("*/*.eml"))
    assert len(paths) > 100
    for path in paths:
        for data in (path.read_bytes(), path.read_bytes().replace(b"\n", b"\r\n")):
            assert read_all([data]) == [by_python_alone(data)], path


@pytest.mark.usefixtures("compiled")
def test_each_message_of_the_corpora_is_the_same_in_both(
    by_python_alone: Callable[[bytes], Read], corpora: Corpora
) -> None:
    for name, data in corpora.messages(every=5).items():
        assert read_all([data]) == [by_python_alone(data)], name
