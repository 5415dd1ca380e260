"""A model as a file: in skops' format, which loads no code, with the versions that made it."""

from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from inboxstats.archive.files import make_folder, write_whole
from inboxstats.classify.features import Recipe
from inboxstats.classify.training import Model
from inboxstats.errors import UsageError, storage_errors

FORMAT = 1

TRUSTED = ("sklearn.tree._tree.Tree",)
"""What a forest has beside the types that skops trusts of itself."""


def check() -> None:
    """Raises UsageError where scikit-learn and skops are not installed."""
    _skops()


def save(model: Model, path: Path) -> None:
    """Writes it whole or not at all. Raises StorageError; UsageError where skops is not installed."""
    content = {field.name: getattr(model, field.name) for field in fields(model)}
    content |= {"format": FORMAT, "recipe": asdict(model.recipe), "until": model.until.isoformat()}
    data = _skops().dumps(content)
    with storage_errors("write", path):
        make_folder(str(path.parent), fsync=False)
        write_whole(str(path), data, fsync=False)


def load(path: Path) -> Model:
    """Raises UsageError for a file that is no model, that holds types beyond those of a forest, or that another version
    of scikit-learn made; StorageError."""
    skops = _skops()
    if not path.exists():
        raise UsageError(f"There is no model yet ({path}). Run `inboxstats classify train` first.")
    with storage_errors("read", path):
        data = path.read_bytes()
    anew = "Run `inboxstats classify train` again."
    try:
        untrusted = set(skops.get_untrusted_types(data=data)).difference(TRUSTED)
        if untrusted:
            raise UsageError(
                f"{path} holds what no forest has ({', '.join(sorted(untrusted))}), and is not loaded. {anew}"
            )
        content = skops.loads(data, trusted=list(TRUSTED))
    except UsageError:
        raise
    except Exception as exc:  # whatever skops meets in a file that is none of its own
        raise UsageError(f"{path} is no model. {anew}") from exc
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise UsageError(f"{path} is a model of another version of inboxstats. {anew}")
    _check_version(path, content["versions"], anew)
    content |= {"recipe": Recipe(**content["recipe"]), "until": datetime.fromisoformat(content["until"])}
    return Model(**content)


def _check_version(path: Path, versions: dict[str, str], anew: str) -> None:
    import sklearn

    made = versions.get("scikit-learn", "")
    if made.split(".")[:2] != sklearn.__version__.split(".")[:2]:
        raise UsageError(f"{path} was made by scikit-learn {made}; this is {sklearn.__version__}. {anew}")


def _skops() -> Any:
    try:
        import skops.io
    except ModuleNotFoundError as exc:
        raise UsageError("classify needs scikit-learn and skops: pip install 'inboxstats[ml]'") from exc
    return skops.io
