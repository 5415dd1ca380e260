"""A random forest trained by one worker and by several. scikit-learn's workers are threads: its trees grow without the
interpreter's lock."""

from functools import partial

from inboxstats.bench.model import Experiment, Name, Way
from inboxstats.errors import UsageError
from inboxstats.workers import default_workers

SAMPLES, FEATURES, INFORMATIVE, CLASSES = 10_000, 50, 20, 10
JOBS = (1, 2, 4)


def experiment(*, trees: int, samples: int = SAMPLES) -> Experiment:
    """So many trees, from made-up samples. Raises UsageError where scikit-learn is not installed."""
    try:
        from sklearn.datasets import make_classification
        from sklearn.ensemble import RandomForestClassifier
    except ModuleNotFoundError as exc:
        raise UsageError("The forest needs scikit-learn: pip install 'inboxstats[ml]'") from exc

    data, labels = make_classification(
        n_samples=samples, n_features=FEATURES, n_informative=INFORMATIVE, n_classes=CLASSES, random_state=0
    )

    def train(jobs: int, trees: int) -> None:
        RandomForestClassifier(trees, n_jobs=jobs, random_state=0).fit(data, labels)

    names = [Name("sequence" if jobs == 1 else "threads", jobs) for jobs in sorted({*JOBS, default_workers()})]
    return Experiment(
        name="forest",
        title="A random forest",
        settings={"trees": trees, "samples": samples, "features": FEATURES, "classes": CLASSES},
        ways=tuple(Way(name, partial(train, name.workers, trees), against=names[0]) for name in names),
        warm_up=lambda: train(2, 4),
    )
