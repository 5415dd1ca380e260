import re

import pytest
from corpora import Corpora
from hypothesis import given
from hypothesis import strategies as st

from inboxstats.parse import words
from inboxstats.parse.languages import stop_words
from inboxstats.parse.marking import marked
from inboxstats.parse.words import OPENING, bare_subject, keywords

SENTENCES = [
    ("en", "Please let me know whether you can join the meeting on Thursday."),
    ("en", "We have shipped your parcel and it will arrive within two days."),
    ("de", "Anbei erhalten Sie die Rechnung. Bitte überweisen Sie den Betrag bis zum Freitag."),
    ("de", "Hast du heute Abend Zeit, oder sollen wir es auf morgen verschieben?"),
    ("fr", "Merci de me dire si vous êtes disponible jeudi pour la réunion."),
    ("fr", "Est-ce que tu peux me rappeler ce soir après le travail ?"),
    ("es", "Por favor, dígame si puede asistir a la reunión del jueves con los demás."),
    ("it", "Mi faccia sapere se può partecipare alla riunione di giovedì con gli altri."),
    ("pt", "Você pode me ligar quando tiver um tempo? Preciso falar com você sobre isso."),
    ("nl", "Laat me weten of u donderdag bij de vergadering kunt zijn, want wij wachten op u."),
    ("sv", "Kan du ringa mig när du har tid? Jag vill prata med dig om en sak."),
    ("da", "Kan du ringe til mig, når du får tid? Jeg vil gerne tale med dig om noget."),
    ("no", "Vedlagt finner du rapporten. Si ifra hvis du kan delta på møtet, så ringer vi deg etterpå."),
    ("fi", "Olemme vastaanottaneet tilauksesi ja se saapuu kahden päivän kuluttua, jos olet kotona."),
    ("pl", "Proszę dać znać, czy może Pan wziąć udział w spotkaniu, bo nie wiem, jak to zrobić."),
    ("cs", "Dejte mi prosím vědět, zda se můžete ve čtvrtek zúčastnit schůzky."),
    ("hu", "Kérem, jelezze, hogy részt tud-e venni a csütörtöki megbeszélésen, és azt is, hogy mikor."),
    ("ro", "Vă rog să îmi spuneți dacă puteți participa la ședința de joi."),
    ("ru", "Пожалуйста, сообщите, сможете ли вы прийти на встречу в четверг."),
    ("uk", "Будь ласка, повідомте, чи зможете ви прийти на зустріч у четвер."),
    ("bg", "Моля, кажете ми дали можете да присъствате на срещата в четвъртък."),
    ("el", "Παρακαλώ πείτε μου αν μπορείτε να έρθετε στη συνάντηση."),
    ("ar", "يرجى إخباري إذا كان بإمكانكم حضور الاجتماع يوم الخميس مع كل من في المكتب."),
    ("fa", "لطفا به من اطلاع دهید که آیا می توانید در جلسه شرکت کنید."),
    ("he", "אנא הודיעו לי אם תוכלו להגיע לפגישה ביום חמישי, כי אני לא יודע."),
    ("hi", "कृपया मुझे बताएं कि क्या आप गुरुवार को बैठक में आ सकते हैं।"),
    ("zh", "请告诉我您周四是否可以参加会议。"),
    ("ja", "木曜日の会議に参加できるかどうか教えてください。"),
    ("ko", "목요일 회의에 참석할 수 있는지 알려 주세요."),
    ("vi", "Vui lòng cho tôi biết bạn có thể tham dự cuộc họp vào thứ năm không."),
    ("id", "Tolong beri tahu saya apakah Anda bisa menghadiri rapat pada hari Kamis."),
    (None, "Parcel 4711"),
    (None, ""),
]


@pytest.mark.parametrize(("language", "text"), SENTENCES)
def test_a_sentence_tells_its_language(language: str | None, text: str) -> None:
    assert keywords("", text).language == language


def test_words_come_once_in_the_order_of_their_appearance_the_subject_first() -> None:
    found = keywords("Re: Harvest festival", "The barley for the harvest has come, and the barley is good.")

    assert found.words == ("harvest", "festival", "barley")
    assert found.phrases == ("harvest festival",)


def test_a_stop_word_between_two_words_parts_them() -> None:
    assert keywords("", "barley and wheat, rye wheat; barley wheat").phrases == ("rye wheat", "barley wheat")


def test_phrases_are_those_of_the_opening_words() -> None:
    text = " ".join(f"barley{chr(97 + a)}{chr(97 + b)}" for a in range(26) for b in range(26))

    found = keywords("", text)

    assert len(found.words) == 676
    assert len(found.phrases) == OPENING - 2  # the mark between subject and text is one of them


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("ath10k", ("ath10k",)),
        ("IPv6", ("ipv6",)),
        ("5f3a9c01d2", ()),
        ("deadbeef01", ()),
        ("abc12345", ()),
        ("mac80211", ("mac80211",)),
        ("iso9660", ("iso9660",)),
        ("win98765", ("win98765",)),
        ("win987654", ()),
        ("hp51625a", ()),
        ("a1234567", ()),
        ("2026", ()),
        ("3rd", ()),
        ("go", ()),
        ("zzzz", ()),
        ("snake_case", ()),
        ("x" * 20 + "y" * 21, ()),
        ("x" * 20 + "y" * 20, ("x" * 20 + "y" * 20,)),
        ("O'Neil's", ("neil",)),
        ("l'avion", ("avion",)),
        ("e-mail-address", ("address",)),
        ("Straße", ("straße",)),
        ("I\u0307stanbul", ("i\u0307stanbul",)),
        ("bar\u1680ley", ("barley",)),
        ("กรุณาแจ้งให้ทราบหากคุณสามารถเข้าร่วมประชุมได้", ()),
    ],
)
def test_what_a_keyword_is(token: str, words: tuple[str, ...]) -> None:
    assert keywords("", token).words == words


def tokens(text: str) -> list[str]:
    """The words of a text, and its breaks."""
    return marked(text).decode().replace("\x01", " \x01 ").split()


@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_a_letter_beyond_ascii_changes_nothing_about_the_words_beside_it(text: str) -> None:
    alone, beside = (tokens(each) for each in (text, f"{text} \u00e9"))

    assert beside == [*alone, "\u00e9"]


@pytest.mark.parametrize("charset", ["latin-1", "cp1252", "cp1251", "cp1250"])
@given(data=st.data())
def test_text_of_one_byte_a_letter_has_the_words_that_it_has_beside_a_letter_of_no_such_charset(
    charset: str, data: st.DataObject
) -> None:
    text = data.draw(st.text(st.characters(codec=charset), max_size=60))

    alone, beside = (tokens(each) for each in (f"{text} x", f"{text} x \u0e01"))

    assert beside == [*alone, "\u0e01"]


def test_chinese_becomes_pairs_of_characters_and_no_giant_words() -> None:
    assert keywords("", "附件年度报告。会议").words == ("附件", "件年", "年度", "度报", "报告", "会议")


@pytest.mark.parametrize(
    ("subject", "bare"),
    [
        ("Re: Re[2]: AW: harvest", "harvest"),
        ("[cooks] Fwd: [PATCH v2 1/3] harvest [2026]", "harvest [2026]"),
        ("回复：会议", "会议"),
        ("Reply: harvest", "Reply: harvest"),
        ("Re:", ""),
        ("", ""),
    ],
)
def test_a_subject_without_its_marks(subject: str, bare: str) -> None:
    assert bare_subject(subject) == bare


@pytest.mark.parametrize("memory", ["enough", "too short"])
def test_tokens_are_forgotten_when_a_worker_has_met_too_many(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabularies = words._Vocabularies()

    def met(number: int) -> int:
        """How many are kept after a text of a thousand new ones."""
        text = " ".join(f"x{number:03}{each:03}" for each in range(1_000))
        if memory == "enough":
            vocabularies.chosen(text.encode(), "en")
        else:
            with pytest.raises(MemoryError):
                vocabularies.chosen(f"{text} \u6f22".encode(), "en")
        return sum(map(len, vocabularies._of.values()))

    def keyword(token: str, stops: frozenset[str]) -> str:
        if token == "\u6f22":
            raise MemoryError
        return "" if token in stops else token

    monkeypatch.setattr(words, "keyword", keyword)
    monkeypatch.setattr(vocabularies, "_MOST_TOKENS", 3_500)

    assert [met(number) for number in range(5)] == [1_000, 2_000, 3_000, 0, 1_000]


def test_words_of_real_texts_are_those_of_a_plain_regular_expression(corpora: Corpora) -> None:
    texts = [data.decode("ascii") for data in corpora.messages(every=40).values() if data.isascii()]
    assert len(texts) > 150

    for text in texts:
        found = keywords("", text)
        assert list(found.words) == words_by_pattern(text, stop_words(found.language))


def words_by_pattern(text: str, stops: frozenset[str]) -> list[str]:
    """The same rules, written down once more, slowly: for text of ASCII."""
    found: dict[str, None] = {}
    for token in re.findall(r"[a-z0-9_']+", text.lower()):
        word = token.strip("'")
        parts = word.split("'")
        longest = next(part for part in parts if len(part) == max(map(len, parts)))
        digits = re.sub(r"\D", "", longest)
        if (
            {word, longest}.isdisjoint(stops)
            and re.fullmatch(r"[a-z][a-z0-9]{2,39}", longest)
            and "_" not in word
            and len({*longest}) > 1
            and (len(digits) * 2 <= len(longest) or re.fullmatch("[a-z]{3,}[0-9]{1,5}", longest))
            and not (digits and re.fullmatch("[0-9a-f]{6,}", longest))
        ):
            found[longest] = None
    return list(found)
