import random
from collections import Counter
from itertools import pairwise
from math import log

from factories import dataset, row

from inboxstats.stats import keywords


def test_words_are_ranked_with_their_share_of_all_messages() -> None:
    data = dataset(row(1, keywords=["tea", "milk"]), row(2, keywords=["tea"]), row(3, keywords=[]))
    assert keywords.compute(data).values.tolist() == [["tea", 2, 0.6667], ["milk", 1, 0.3333]]


def test_words_used_as_often_stand_in_the_order_of_the_alphabet() -> None:
    data = dataset(row(1, keywords=["zebra", "émigré", "apple"]))
    assert keywords.compute(data)["keyword"].tolist() == ["apple", "zebra", "émigré"]


def test_a_phrase_whose_words_go_together_is_listed_and_takes_nothing_from_them() -> None:
    # p(xy) = 5/20, p(annual) = 6/20, p(report) = 7/20: ln(0.25 / 0.105) / -ln 0.25 = 0.626
    assert round(log(0.25 / (0.3 * 0.35)) / -log(0.25), 3) == 0.626
    together = [row(number, keywords=["annual", "report"], phrases=["annual report"]) for number in range(5)]
    apart = [row(5, keywords=["annual"]), row(6, keywords=["report"]), row(7, keywords=["report"])]
    rest = [row(number) for number in range(8, 20)]
    assert keywords.compute(dataset(*together, *apart, *rest)).values.tolist() == [
        ["report", 7, 0.35],
        ["annual", 6, 0.3],
        ["annual report", 5, 0.25],
    ]


def test_a_phrase_that_chance_explains_is_not_listed() -> None:
    # p(xy) = 5/20, p(x) = p(y) = 10/20: what chance alone has, so npmi is 0.
    both = [row(number, keywords=["good", "day"], phrases=["good day"]) for number in range(5)]
    good = [row(number, keywords=["good"]) for number in range(5, 10)]
    day = [row(number, keywords=["day"]) for number in range(10, 15)]
    rest = [row(number) for number in range(15, 20)]
    assert keywords.compute(dataset(*both, *good, *day, *rest))["keyword"].tolist() == ["day", "good"]


def test_a_phrase_in_four_messages_is_too_rare() -> None:
    rows = [row(number, keywords=["rare", "bird"], phrases=["rare bird"]) for number in range(4)]
    assert "rare bird" not in keywords.compute(dataset(*rows, *map(row, range(4, 50))))["keyword"].tolist()


def test_a_phrase_of_all_messages_is_listed_and_divides_by_nothing() -> None:
    rows = [row(number, keywords=["best", "wishes"], phrases=["best wishes"]) for number in range(5)]
    assert keywords.compute(dataset(*rows))["messages"].tolist() == [5, 5, 5]


def test_phrases_are_those_that_the_formula_finds_among_all_pairs() -> None:
    # From frequent to rare, and every second one clings to the one before, from loosely to firmly and again.
    rng = random.Random(2026)
    words = [f"w{number:02}" for number in range(40)]
    rows, held, met = [], Counter[str](), Counter[tuple[str, str]]()
    for number in range(400):
        text: list[str] = []
        for at, word in enumerate(words):
            clings = at % 2 and words[at - 1] in text
            if rng.random() < (at % 9 / 9 if clings else 1 / (at + 3)):
                text.append(word)
        pairs = list(pairwise(text))
        rows.append(row(number, keywords=text, phrases=[" ".join(pair) for pair in pairs]))
        held.update(text)
        met.update(pairs)
    shares = {pair: [times / 400, held[pair[0]] / 400, held[pair[1]] / 400] for pair, times in met.items()}
    more = {
        " ".join(pair)
        for pair, (both, first, second) in shares.items()
        if met[pair] >= 5 and log(both / (first * second)) / -log(both) >= 0.5
    }
    found = keywords.compute(dataset(*rows))
    listed = {keyword for keyword in found["keyword"] if " " in keyword}
    assert listed == more
    assert 3 < len(more) < len(met) / 2


def test_a_phrase_that_is_exactly_on_the_bound_is_listed() -> None:
    # p(xy) = p(x) = 5/20, p(y) = 10/20: ln(1/4 / (1/4 * 1/2)) / -ln(1/4) = 1/2.
    both = [row(number, keywords=["red", "wine"], phrases=["red wine"]) for number in range(5)]
    wine = [row(number, keywords=["wine"]) for number in range(5, 10)]
    assert "red wine" in keywords.compute(dataset(*both, *wine, *map(row, range(10, 20))))["keyword"].tolist()
