"""The figures of docs/classify.md, on real ham and spam: three quarters are learned from, the later one judges."""

from pathlib import Path

import pytest
from corpora import Corpora

from inboxstats.classify.targets import SPAM_MAILBOXES
from inboxstats.classify.training import Settings, learn
from inboxstats.collection import open_collection

pytestmark = pytest.mark.corpora


def test_spam_is_told_from_ham_on_later_mail_better_than_by_the_sender(
    corpora: Corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for path in (corpora.corpus / "spamassassin").glob("*.eml"):
        folder = tmp_path / "mail" / ("Junk" if path.name.startswith("spam") else "INBOX")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).symlink_to(path)
    messages = open_collection(tmp_path / "mail").messages()
    judged = learn(messages, Settings("spam", SPAM_MAILBOXES, 300, 2, share=0.25, clock="received")).judgement
    assert (judged.learned_from, judged.judged_on) == (4535, 1511)
    assert messages["when"].iloc[4534] <= judged.split
    rest, spam = judged.classes
    assert (rest.messages, spam.messages) == (1359, 152)
    assert spam.recall is not None
    assert spam.precision is not None
    assert spam.recall > 0.95
    assert spam.precision > 0.85
    assert all(baseline.is_beaten for baseline in judged.baselines)
    assert judged.calibration[-1].true > 0.99
