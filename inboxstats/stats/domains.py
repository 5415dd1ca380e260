"""From which domains does mail come?"""

import ipaddress
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
from publicsuffixlist import PublicSuffixList

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import ranked as by_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "domains"
title = "Domains"
ranked = True


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``domain``, ``messages``, ``registrable_domain`` and ``senders``, its different addresses.

    The registrable domain is the public suffix and one label more: ``bbc.co.uk`` of ``mail.bbc.co.uk``. ``None`` where
    there is none: an IP address, a public suffix itself.
    """
    domains = data.messages.groupby("domain")["sender"].agg(messages="size", senders="nunique")
    table = pd.DataFrame(
        {
            "domain": domains.index.astype("str"),
            "messages": domains["messages"].to_numpy(),
            "registrable_domain": pd.Series([registrable(domain) for domain in domains.index], dtype="str"),
            "senders": domains["senders"].to_numpy(),
        }
    )
    return by_rank(table, by="messages")


def registrable(domain: str) -> str | None:
    """What somebody registered, by the Public Suffix List; an address literal (RFC 5321, 4.1.3) has no such thing."""
    if _is_ip_address(domain.removeprefix("[").removesuffix("]").removeprefix("ipv6:")):
        return None
    found = _suffixes().privatesuffix(domain)
    return None if found is None else str(found)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a domain, the most frequent on top."""
    charts.ranking(axes, table["domain"], table["messages"])
