"""What kinds of file are attached, and how much room do they take?"""

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from inboxstats import charts
from inboxstats.dataset import Dataset
from inboxstats.stats.counting import ranked as by_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

name = "attachments"
title = "Attachments by type"
ranked = True


def compute(data: Dataset) -> pd.DataFrame:
    """Columns ``media_type``, ``attachments`` (files, inline ones included) and ``bytes`` (after decoding)."""
    files = pc.list_flatten(pa.array(data.messages["attachments"]))
    columns = {"media_type": pc.struct_field(files, "media_type"), "size": pc.struct_field(files, "size")}
    types = pa.table(columns).to_pandas().groupby("media_type")["size"].agg(attachments="size", bytes="sum")
    return by_rank(types.reset_index(), by="attachments")


def draw(table: pd.DataFrame, axes: "Axes") -> None:
    """A bar a media type, the most frequent on top."""
    charts.ranking(axes, table["media_type"], table["attachments"])
