from datetime import UTC, datetime

from factories import dataset, row

from inboxstats.report.model import build
from inboxstats.stats import misfiled


def test_a_message_is_likely_misfiled_where_four_fifths_of_the_votes_say_so() -> None:
    table = misfiled.compute(
        dataset(
            row(1, filed="rest", likely="spam", likelihood=0.8),
            row(2, filed="rest", likely="spam", likelihood=0.79),
            row(3, filed="rest", likely="rest", likelihood=1.0),
            row(4, filed="spam", likely="rest", likelihood=0.999, sender=None),
            row(5),
        )
    )
    assert table.to_dict("split")["data"] == [
        ["INBOX/4.eml", "", "spam", "rest", 99],
        ["INBOX/1.eml", "ann@example.com", "rest", "spam", 80],
    ]


def test_a_report_without_predictions_does_not_speak_of_them() -> None:
    generated = datetime(2026, 11, 28, tzinfo=UTC)
    without, withal = (
        build(dataset(row(1, **columns)), generated=generated, top=None)
        for columns in ({}, {"filed": "rest", "likely": "spam", "likelihood": 0.9})
    )
    assert "misfiled" not in [answer.statistic.name for answer in without.answers]
    assert withal.answers[-1].statistic.name == "misfiled"
