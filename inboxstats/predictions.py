"""What `classify apply` predicted, beside the message table: a Parquet file that outlives the table's parts.

A row a message: account, mailbox and key name it, the other columns are PREDICTION_FIELDS.
"""

import io
from pathlib import Path

import pyarrow as pa

from inboxstats.archive.files import make_folder, write_whole
from inboxstats.entries import LISTED_BY
from inboxstats.errors import storage_errors
from inboxstats.schema import PREDICTION_FIELDS

PREDICTIONS = pa.schema([*(pa.field(name, pa.string()) for name in LISTED_BY), *PREDICTION_FIELDS])


def read(cache: Path) -> pa.Table:
    """The predictions in a cache folder; none where there are none, or none that can be read.

    Raises StorageError.
    """
    path = _path(cache)
    with storage_errors("read", path):
        if not path.exists():
            return PREDICTIONS.empty_table()
        import pyarrow.parquet as pq  # beside its use: most mailboxes have no predictions

        try:
            return pq.read_table(path).cast(PREDICTIONS)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError):
            return PREDICTIONS.empty_table()


def write(cache: Path, predictions: pa.Table) -> Path:
    """Replace those of a cache folder. Raises StorageError."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(predictions.cast(PREDICTIONS), buffer, compression="zstd")
    path = _path(cache)
    with storage_errors("write", path):
        make_folder(str(cache), fsync=False)
        write_whole(str(path), buffer.getvalue(), fsync=False)
    return path


def _path(cache: Path) -> Path:
    return cache / "predictions.parquet"
