import pytest
from factories import dataset, row

from inboxstats.stats import domains


def test_domains_count_messages_and_their_different_senders() -> None:
    data = dataset(
        row(1, sender="a@mail.bbc.co.uk"),
        row(2, sender="a@mail.bbc.co.uk"),
        row(3, sender="b@mail.bbc.co.uk"),
        row(4, sender="c@example.org"),
        row(5, sender=None),
    )
    assert domains.compute(data).values.tolist() == [
        ["mail.bbc.co.uk", 3, "bbc.co.uk", 2],
        ["example.org", 1, "example.org", 1],
    ]


# By the Public Suffix List: github.io and co.uk are suffixes themselves, so what stands before them is registrable.
@pytest.mark.parametrize(
    ("domain", "registrable"),
    [
        ("a.b.example.com", "example.com"),
        ("ann.github.io", "ann.github.io"),
        ("co.uk", None),
        ("1.2.3.4", None),
        ("[192.0.2.7]", None),
        ("[ipv6:2001:db8::1]", None),
        ("2001:db8::1", None),
        ("", None),
    ],
)
def test_what_somebody_registered(domain: str, registrable: str | None) -> None:
    assert domains.registrable(domain) == registrable
