from encodings.aliases import aliases

from inboxstats.parse import charset


def test_charsets_that_are_not_searched_for_surrogates_have_none() -> None:
    names = {charset.codec(name.replace("_", "-")) for pair in aliases.items() for name in pair}
    found = {name for name in names if name and name.startswith(charset._WITHOUT_SURROGATES)}
    assert found >= {"utf-8", "cp1252", "iso-8859-15", "koi8-r", "windows-1251"}
    for name in found:
        text = bytes(range(256)).decode(name, "replace")
        assert len(text) == 256, name
        assert charset.scrubbed(text) == text, name


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    assert charset.decode(b"a+2AA-b", "utf-7") == "a\ufffdb"
    assert charset.decode(b"a\x00\x00\xd8b\x00", "utf-16-le") == "a\ufffdb"
    assert charset.decode(b"a\xed\xa0\x80b" + "äöü".encode(), "utf-8") == "a\ufffd\ufffd\ufffdbäöü"
