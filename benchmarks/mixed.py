"""Made-up mail of all the kinds that mailboxes hold, for benchmarks/parse.py: the same bytes on every machine.

`mixed` is 40 kB a message on average, of which a few attachments are two thirds; `small` is 3.2 kB a message. Both are
in seven languages, nine charsets and all transfer encodings, with replies, newsletters and lists. Each message comes
with what a reader must find in it.

Of `small`, a message has 53 keywords, and 10,000 have 50,000 different ones (10,900 messages of real lists and inboxes:
47 and 51,000), with 3 that are new in each later message, as there. A message takes 0.2 ms: sentences, blocks of HTML
and random bytes are made once.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import accumulate
from random import Random
from urllib.parse import quote

_FIRST_DAY = datetime.fromisoformat("2024-01-01T00:00:00+00:00")
_SPAN = timedelta(days=730)

_VOCABULARY = 5_000
_SENTENCES: Mapping[str, int] = {"en": 6_000, "de": 2_000, "fr": 1_500, "es": 1_500, "ru": 1_500, "zh": 800, "ja": 800}
_BLOCKS = 300
_NOISE_LINES = 20_000
_LINE = 78  # base64 of 57 bytes, and CRLF

# What is frequent in each language, and the sounds that its other words are made of.
_FREQUENT: Mapping[str, str] = {
    "en": "the of and to a in is that for it was on with as be by at this from are have not or an which you but we they"
    " has were will can all there been one would their what if when who so said more about up out your do my its"
    " than some our could other into only also after time don't it's we'll",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er"
    " hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum haben nur oder aber vor zur bis mehr"
    " durch man sein wurde wir ihr uns können schon wenn",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec mais"
    " comme ou son nous vous cette ont été aussi leur même sans être tout fait très où à après déjà bien deux peut",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin"
    " sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque qué",
    "ru": "и в не на что с по это как но к из у за от то же для так бы вы мы все было только его до если уже или ни"
    " быть при они когда со был есть даже нет очень может после того этот где под можно чтобы",
}  # fmt: skip
_SOUNDS: Mapping[str, tuple[str, str, str]] = {
    "en": ("b br c ch d f g gr h l m n p pl r s st t tr w sh", "a e i o u ea oo", "n r t l s nd ck m ng"),
    "de": ("b d f g h k l m n r s sch t w z st pf", "a e i o u ei ü ö ä", "n r t l ß ng ch s"),
    "fr": ("b c d f g j l m n p r s t v ch pr", "a e i o u é ou è ai", "n r t l s que x ment"),
    "es": ("b c d f g l m n p r s t v ll", "a e i o u ía ó", "n r s l do ña ción"),
    "ru": ("б в г д ж з к л м н п р с т х ч ш", "а е и о у я ы ю", "н р т л с ть ка ние"),
}
_HAN = "会议项目报告时间公司北京合作通知发票合同客户工作问题系统计划市场明天附件资料请确认谢谢电话地址产品价格安排部门"
_KANJI = "会議資料送付確認東京営業部請求書件先日予定変更連絡担当者製品価格工場注文明細契約"
_KANA = ("の", "を", "に", "は", "が", "について", "お願いします", "ください", "から", "まで")

# Language, charset, transfer encoding, how many in a hundred messages.
_FORMS = (
    *(("en", "us-ascii", "7bit", 38), ("en", "utf-8", "quoted-printable", 14), ("en", "utf-8", "8bit", 6)),
    *(("en", "utf-8", "base64", 4), ("de", "iso-8859-1", "quoted-printable", 4), ("de", "windows-1252", "8bit", 3)),
    *(("de", "utf-8", "quoted-printable", 5), ("fr", "utf-8", "quoted-printable", 4), ("fr", "iso-8859-15", "8bit", 3)),
    *(("es", "utf-8", "8bit", 3), ("es", "iso-8859-1", "quoted-printable", 3), ("ru", "utf-8", "base64", 4)),
    *(("ru", "koi8-r", "8bit", 2), ("ru", "windows-1251", "base64", 2), ("zh", "gb18030", "base64", 1)),
    *(("zh", "utf-8", "base64", 1), ("ja", "iso-2022-jp", "7bit", 2), ("ja", "utf-8", "base64", 1)),
)
_FIRST_NAMES = (
    "Ann Ben Carla David Eva Frank Grace Henry Irene Jack Karin Liam Maria Noah Olga Paul Rosa Sam Tina Vera Walter"
    " Jürgen François Łukasz Åsa Élodie José Мария Иван 太郎 小明".split()
)
_LAST_NAMES = (
    "Smith Müller Dupont Brown Jones García Lindström O'Neill Schäfer Lefèvre Wang Kim Ivanova Taylor Novák"
    " Петров 山田".split()
)
_DOMAINS = tuple(
    f"{name}.{top}" for name in ("acme", "globex", "initech", "hooli", "wonka", "mail.umbrella") for top in
    ("example.com", "example.org", "example.net", "example")
)  # fmt: skip
_OFFSETS = (0, 60, 120, -300, -480, 540, 330)
_FILES = (
    ("report {}.pdf", "application/pdf"),
    ("Übersicht {}.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("image{}.jpg", "image/jpeg"),
    ("счёт {}.zip", "application/zip"),
)
_STYLE_SHEET = (
    "<style>body{margin:0;font-family:Arial,sans-serif}.button{background:#17609b;color:#fff;padding:12px 24px}"
    "@media only screen and (max-width:600px){.column{width:100%!important;display:block!important}}</style>"
)
_CELL = "font-family:Helvetica,Arial,sans-serif;font-size:14px;line-height:22px;color:#333333;padding:10px 20px"


@dataclass(frozen=True, slots=True)
class Truth:
    """What a reader must find: `attachments` are names and decoded sizes, `date` has the sender's offset."""

    subject: str
    name: str
    address: str
    date: datetime
    attachments: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message, CRLF throughout, and the truth about it."""

    data: bytes
    truth: Truth


@dataclass(frozen=True, slots=True)
class _World:
    """What is made once: people and how frequent they are; by language words, sentences and blocks of HTML."""

    people: Sequence[tuple[str, str]]
    people_weights: Sequence[float]
    words: Mapping[str, Sequence[str]]
    sentences: Mapping[str, Sequence[str]]
    blocks: Mapping[str, Sequence[str]]
    noise: bytes


@dataclass(frozen=True, slots=True)
class _Form:
    """How a text is written."""

    language: str
    charset: str
    encoding: str


def mixed(count: int, seed: int = 2026) -> Iterator[Mail]:
    """So many messages: 70 % of a few kB, 25 % newsletters and the like, 5 % with attachments of 0.2 to 1 MB."""
    return _messages(count, seed, (70, 25, 5))


def small(count: int, seed: int = 2026) -> Iterator[Mail]:
    """So many messages without attachments and long HTML."""
    return _messages(count, seed, (100, 0, 0))


def _messages(count: int, seed: int, shares: Sequence[int]) -> Iterator[Mail]:
    rng = Random(seed)
    world = _world(rng)
    forms = [_Form(*form[:3]) for form in _FORMS]
    form_weights = list(accumulate(form[3] for form in _FORMS))
    share_weights = list(accumulate(shares))
    recent: list[tuple[str, ...]] = []  # the last messages' identifiers, each after those that it answers
    for number in range(count):
        form = rng.choices(forms, cum_weights=form_weights)[0]
        kind = rng.choices(("plain", "newsletter", "files"), cum_weights=share_weights)[0]
        answers = rng.choice(recent) if recent and rng.random() < 0.35 else ()
        identifier = f"<{rng.getrandbits(80):x}.{number}@{rng.choice(_DOMAINS)}>"
        recent = [*recent[-50:], (*answers, identifier)[-8:]]
        date = _FIRST_DAY + _SPAN * number // count + timedelta(seconds=rng.randrange(3600))
        date = date.replace(microsecond=0).astimezone(timezone(timedelta(minutes=rng.choice(_OFFSETS))))
        name, address = _person(rng, world)
        subject = ("Re: " if answers else "") + _title(rng, world, form.language)
        head = _head(rng, world, form, subject, (name, address), date, identifier, answers, kind=kind)
        files, content = _content(rng, world, form, kind, small=not shares[2])
        yield Mail(head + content, Truth(subject, name, address, date, files))


def _world(rng: Random) -> _World:
    people = []
    for number in range(800):
        name = f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}"
        if number % 9 == 0:
            name = ", ".join(reversed(name.split()))
        people.append((name, f"{rng.choice('abcdefghijklmn')}.{_word(rng, 'en')}{number}@{rng.choice(_DOMAINS)}"))
    words = {language: _words(rng, language) for language in _SENTENCES}
    sentences = {language: _sentences(rng, words[language], language, count) for language, count in _SENTENCES.items()}
    noise = base64.b64encode(rng.randbytes(57 * _NOISE_LINES))
    return _World(
        people,
        list(accumulate(1 / (rank + 3) for rank in range(len(people)))),
        words,
        sentences,
        {language: [_block(rng, sentences[language]) for _ in range(_BLOCKS)] for language in sentences},
        b"".join(noise[start : start + 76] + b"\r\n" for start in range(0, len(noise), 76)),
    )


def _words(rng: Random, language: str) -> list[str]:
    frequent = _FREQUENT.get(language, "").split()
    return list(dict.fromkeys([*frequent, *(_word(rng, language) for _ in range(_VOCABULARY))]))


def _sentences(rng: Random, words: Sequence[str], language: str, count: int) -> list[str]:
    """Of Zipf's distribution: the first hundred of the words are half of the text."""
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))
    found = []
    for _ in range(count):
        chosen = rng.choices(words, cum_weights=weights, k=rng.randint(5, 13))
        if language == "zh":
            sentence = "".join(chosen) + "。"
        elif language == "ja":
            sentence = "".join(word + rng.choice(_KANA) for word in chosen) + "。"
        else:
            sentence = " ".join(chosen).capitalize() + rng.choice(".....?!,:")
        found.append(sentence)
    return found


def _word(rng: Random, language: str) -> str:
    if language in ("zh", "ja"):
        return "".join(rng.choices(_HAN if language == "zh" else _KANJI, k=2))
    first, middle, last = (sounds.split() for sounds in _SOUNDS[language])
    syllables = [rng.choice(first) + rng.choice(middle) for _ in range(rng.choice((1, 2, 2, 3)))]
    return "".join(syllables) + rng.choice(last)


def _block(rng: Random, sentences: Sequence[str]) -> str:
    """A row of a newsletter's table, some 1.3 kB of which a quarter is text."""
    return (
        '<table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0" style="border-collapse:'
        'collapse;mso-table-lspace:0pt;mso-table-rspace:0pt">\r\n<tr><td align="left" valign="top" class="column" '
        f'style="{_CELL}">\r\n<h2 style="margin:0;font-size:22px">{rng.choice(sentences)}</h2>\r\n<p>'
        f"{rng.choice(sentences)}&nbsp;&mdash; <b>{rng.choice(sentences)}</b> &eacute;t&#233;<br>\r\n"
        f"{rng.choice(sentences)}</p>\r\n"
        f'<a href="https://click.{rng.choice(_DOMAINS)}/ls/click?upn={rng.randbytes(rng.randint(30, 90)).hex()}" '
        f'target="_blank" class="button">{rng.choice(sentences)}</a>\r\n'
        f'<img src="https://img.{rng.choice(_DOMAINS)}/{rng.getrandbits(64):x}.png" width="1" height="1" alt="">\r\n'
        "</td></tr></table>\r\n"
    )


def _person(rng: Random, world: _World) -> tuple[str, str]:
    return rng.choices(world.people, cum_weights=world.people_weights)[0]


def _title(rng: Random, world: _World, language: str) -> str:
    sentence = rng.choice(world.sentences[language]).rstrip(".?!,:。")
    return sentence if rng.random() < 0.7 else f"{sentence} {rng.randrange(10_000)}"


def _head(
    rng: Random,
    world: _World,
    form: _Form,
    subject: str,
    sender: tuple[str, str],
    date: datetime,
    identifier: str,
    answers: tuple[str, ...],
    *,
    kind: str,
) -> bytes:
    domain = sender[1].partition("@")[2]
    signature = [_noise(rng, world, 1).decode() for _ in range(5)]
    lines = [f"Return-Path: <{sender[1]}>", "Delivered-To: me@example.org"]
    for hop in range(rng.randint(2, 4)):
        lines += [
            f"Received: from mx{hop}.{domain} (mx{hop}.{domain} [192.0.2.{rng.randrange(1, 255)}])",
            f"\tby mail{hop}.example.org (Postfix) with ESMTPS id {rng.getrandbits(44):X}",
            f"\tfor <me@example.org>; {format_datetime(date)}",
        ]
    if rng.random() < 0.7:
        lines += [
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain};",
            f"\ts=s1; h=from:to:subject:date:message-id; bh={signature[0][:43]}=;",
            f"\tb={signature[1][:70]}",
            *(f"\t {line[:70]}" for line in signature[2:]),
        ]
    lines += [f"Subject: {_unstructured(subject, form)}", f"From: {_address(sender)}"]
    recipients = [_address(_person(rng, world)) for _ in range(rng.choice((1, 1, 1, 2, 3, 6)))]
    lines += ["To: " + ",\r\n\t".join(recipients), f"Date: {format_datetime(date)}", f"Message-ID: {identifier}"]
    if answers:
        lines += [f"In-Reply-To: {answers[-1]}", "References: " + "\r\n\t".join(answers)]
    if kind == "newsletter" or rng.random() < 0.15:
        number = rng.randrange(40)
        lines += [
            f"List-Id: List {number} <list{number}.lists.example.org>",
            f"List-Unsubscribe: <mailto:leave{number}@lists.example.org>, <https://lists.example.org/{number}>",
        ]
    lines += ["MIME-Version: 1.0", f"X-Spam-Status: No, score=-{rng.random() * 5:.1f} required=5.0 autolearn=ham"]
    return "\r\n".join([*lines, ""]).encode("ascii")


def _address(person: tuple[str, str]) -> str:
    name, address = person
    if not name.isascii():
        name = _encoded_words(name, "utf-8", 20)  # one word: the standard library reads two with a blank between
    elif "," in name:
        name = f'"{name}"'
    return f"{name} <{address}>"


def _unstructured(text: str, form: _Form) -> str:
    if text.isascii():
        return "\r\n ".join(_folded(text))
    return _encoded_words(text, form.charset)


def _folded(text: str) -> Iterator[str]:
    while len(text) > 65 and (end := text.rfind(" ", 0, 65)) > 0:
        yield text[:end]
        text = text[end + 1 :]
    yield text


def _encoded_words(text: str, charset: str, step: int = 11) -> str:
    """RFC 2047: each word has whole characters, `step` of them, and is at most 75 characters long."""
    if charset.startswith("iso-8859"):
        words = [
            "".join(chr(octet) if chr(octet).isascii() and chr(octet).isalnum() else f"={octet:02X}" for octet in piece)
            for piece in (text[start : start + 17].encode(charset) for start in range(0, len(text), 17))
        ]
        return "\r\n ".join(f"=?{charset}?Q?{word}?=" for word in words)
    pieces = (text[start : start + step].encode(charset) for start in range(0, len(text), step))
    return "\r\n ".join(f"=?{charset}?B?{base64.b64encode(piece).decode()}?=" for piece in pieces)


def _content(
    rng: Random, world: _World, form: _Form, kind: str, *, small: bool
) -> tuple[tuple[tuple[str, int], ...], bytes]:
    """The attachments' truth, and everything from Content-Type on."""
    if kind == "plain":
        if rng.random() < 0.15:
            return (), _part("html", form, _page(rng, world, form.language, rng.randint(1, 2 if small else 5)))
        return (), _part("plain", form, _letter(rng, world, form.language, rng.randint(2, 22 if small else 50)))
    boundary = f"=_{rng.getrandbits(80):x}"
    rows = rng.randint(7, 54) if kind == "newsletter" else rng.randint(3, 12)
    alternative = _multipart(
        "alternative",
        boundary,
        [
            _part("plain", form, _letter(rng, world, form.language, 12 + rows)),
            _part("html", form, _page(rng, world, form.language, rows)),
        ],
    )
    if kind == "newsletter":
        return (), alternative
    files, parts = [], []
    count = rng.choice((1, 1, 2, 3))
    for _ in range(count):
        file, media_type = rng.choice(_FILES)
        file = file.format(rng.randrange(100))
        lines = int(215_000 * 5 ** rng.random() / count / _LINE)
        files.append((file, lines * 57))
        plain = f'"{file}"' if file.isascii() else ""
        parameter = f"filename={plain}" if plain else f"filename*=utf-8''{quote(file)}"
        head = f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        disposition = f"Content-Disposition: attachment; {parameter}\r\n\r\n"
        parts.append((head + disposition).encode() + _noise(rng, world, lines))
    return tuple(files), _multipart("mixed", f"{boundary}_m", [alternative, *parts])


def _noise(rng: Random, world: _World, lines: int) -> bytes:
    start = rng.randrange(_NOISE_LINES - lines) * _LINE
    return world.noise[start : start + lines * _LINE]


def _letter(rng: Random, world: _World, language: str, sentences: int) -> str:
    """Text with a few words that no other message has, a link, at times a quotation and a signature."""
    lines = rng.choices(world.sentences[language], k=sentences)
    for start in range(rng.randint(1, 5), sentences, 5):
        lines[start] = ""
    if language in _SOUNDS:
        halves = rng.choices(world.words[language], k=8)
        lines[0] = " ".join(map("".join, zip(halves[:4], halves[4:], strict=True))).capitalize() + "."
    lines.insert(
        sentences // 2, f"https://www.{rng.choice(_DOMAINS)}/{rng.getrandbits(40):x}?id={rng.randrange(10**6)}"
    )
    if rng.random() < 0.5:
        lines += ["", f"On {rng.randint(1, 28)}/03/2025, {_person(rng, world)[1]} wrote:"]
        lines += [f"> {line}" for line in rng.choices(world.sentences[language], k=rng.randint(3, 40))]
    if rng.random() < 0.3:
        lines += ["-- ", "me", rng.choice(_DOMAINS)]
    return "\r\n".join([*lines, ""])


def _page(rng: Random, world: _World, language: str, rows: int) -> str:
    return "".join(
        [
            "<!DOCTYPE html>\r\n<html><head><title>Newsletter</title>\r\n",
            _STYLE_SHEET,
            "\r\n</head><body bgcolor='#ffffff'><script>var hidden = 1;</script>\r\n",
            *rng.choices(world.blocks[language], k=rows),
            f"<p>{rng.getrandbits(60):x}</p>\r\n</body></html>\r\n",
        ]
    )


def _part(subtype: str, form: _Form, text: str) -> bytes:
    octets = text.encode(form.charset)
    if form.encoding == "quoted-printable":
        octets = binascii.b2a_qp(octets)
    elif form.encoding == "base64":
        octets = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return (
        f'Content-Type: text/{subtype}; charset="{form.charset}"\r\nContent-Transfer-Encoding: {form.encoding}\r\n\r\n'
    ).encode() + octets


def _multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    between = b"\r\n--" + boundary.encode()
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'.encode()
    return head + b"".join(between + b"\r\n" + part for part in parts) + between + b"--\r\n"
