"""`inboxstats schedule` as a user runs it, with schedulers in PATH that are not the machine's own."""

import json
import re
from pathlib import Path

import pytest
from command import Inboxstats

CRONTAB = """\
#!/bin/sh
case "$1" in
-l) test -e "$HOME/crontab" || { echo "no crontab for me" >&2; exit 1; }; cat "$HOME/crontab" ;;
-r) rm "$HOME/crontab" ;;
-) cat >"$HOME/crontab" ;;
esac
"""
SYSTEMCTL = '#!/bin/sh\necho "$@" >>"$HOME/said"\necho ActiveState=active\n'
CONFIG = '[accounts.work]\nhost = "imap.example.org"\nuser = "me"\n'


class Night:
    """The program on a machine that has cron, and systemd only if a test says so."""

    def __init__(self, inboxstats: Inboxstats, tools: Path) -> None:
        self.home, self.tools = inboxstats.home, tools
        self._inboxstats = inboxstats
        self.put("crontab", CRONTAB)
        self.put("systemctl", "#!/bin/sh\nexit 1\n")
        self.put("loginctl", "#!/bin/sh\necho Linger=no\n")

    def put(self, name: str, script: str) -> None:
        (self.tools / name).write_text(script)
        (self.tools / name).chmod(0o755)

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        return self._run("schedule", *arguments, **environment)

    def account(self, *arguments: str) -> tuple[int, str, str]:
        return self._run("account", *arguments)

    def _run(self, *arguments: str, zone: str = "", **environment: str) -> tuple[int, str, str]:
        done = self._inboxstats(*arguments, TZ=zone, PATH=f"{self.tools}:/usr/bin:/bin", **environment)
        assert "Traceback" not in done.err
        return done.code, done.out, done.err


@pytest.fixture
def night(inboxstats: Inboxstats, tmp_path: Path) -> Night:
    tools = tmp_path / "tools"
    tools.mkdir()
    config = inboxstats.home / ".config" / "inboxstats" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    return Night(inboxstats, tools)


def test_cron_is_installed_shown_and_removed(night: Night) -> None:
    code, out, err = night("install", "--at", "04:10")
    assert (code, err) == (0, "")
    assert re.match(r"Installed: every night at 04:10 \(\S+\), by cron\. Try it: inboxstats nightly\n", out)
    line = (night.home / "crontab").read_text()
    assert line.startswith("10 4 * * * PATH=")
    assert f"inboxstats nightly --quiet --retries 3 --config {night.home}/.config/inboxstats/config.toml #" in line
    code, out, _ = night("status")
    assert code == 0
    told = r"Every night at 04:10 \(\S+\), by cron; last run: see `inboxstats status`; next: 20\d\d-\d\d-\d\d 04:10\.\n"
    assert re.match(told, out)
    assert json.loads(night("status", "--json")[1])["timer"]["at"] == "04:10"
    assert night("remove") == (0, "Removed from cron.\n", "")
    assert not (night.home / "crontab").exists()
    assert night("remove") == (0, "No timer was installed.\n", "")
    assert night("status") == (3, "No timer is installed: inboxstats schedule install\n", "")
    assert json.loads(night("status", "--json")[1]) == {"schema_version": 1, "timer": None}


def test_a_time_that_daylight_saving_skips_is_moved_and_said(night: Night) -> None:
    night.put("systemctl", SYSTEMCTL)
    code, out, err = night("install", zone="Europe/Berlin")
    assert code == 0
    assert err.startswith("inboxstats: 02:30 ")
    assert "does not exist on " in err
    assert "comes twice on " in err
    assert err.endswith("(Europe/Berlin, daylight saving), so 03:00 is taken.\n")
    assert "every night at 03:00" in out
    assert night("install", zone="Asia/Tokyo")[2] == ""


def test_a_zone_by_which_cron_does_not_go_is_told(night: Night) -> None:
    code, out, err = night("install", "--at", "04:10", zone="Asia/Kathmandu")
    assert code == 0
    assert re.match(
        r"inboxstats: cron goes by the machine's own zone, \S+, whatever TZ says \(Asia/Kathmandu\)\.\n", err
    )
    assert "Kathmandu" not in out
    assert "Kathmandu" not in night("status", zone="Asia/Kathmandu")[1]
    night.put("systemctl", SYSTEMCTL)
    code, out, err = night("install", "--at", "04:10", zone="Asia/Kathmandu")
    assert (code, err) == (0, "")
    assert out.startswith("Installed: every night at 04:10 (Asia/Kathmandu), by systemd.")
    timer = night.home / ".config" / "systemd" / "user" / "inboxstats.timer"
    assert "OnCalendar=*-*-* 04:10:00 Asia/Kathmandu\n" in timer.read_text()
    assert night("status", zone="Asia/Kathmandu")[1].startswith("Every night at 04:10 (Asia/Kathmandu), by systemd;")


def test_a_dry_run_shows_everything_and_does_nothing(night: Night) -> None:
    code, out, _ = night("install", "--dry-run", "--at", "04:10")
    assert code == 0
    assert out.startswith("run crontab - with:\n    10 4 * * * PATH=")
    code, out, _ = night("install", "-n", "--at", "04:10", "--kind", "systemd")
    assert code == 0
    assert "    OnCalendar=*-*-* 04:10:00\n" in out
    assert sorted(path.name for path in night.home.rglob("*") if path.is_file()) == ["config.toml"]


def test_systemd_is_preferred_and_replaces_cron(night: Night) -> None:
    night("install", "--at", "04:10")
    night.put("systemctl", SYSTEMCTL)
    code, out, _ = night("install", "--at", "05:20")
    assert code == 0
    assert "by systemd" in out
    assert "loginctl enable-linger" in out
    assert not (night.home / "crontab").exists()
    assert "--user enable inboxstats.timer\n" in (night.home / "said").read_text()
    assert night("remove")[:2] == (0, "Removed from systemd.\n")
    left = sorted(path.name for path in night.home.rglob("*") if path.is_file())
    assert left == ["config.toml", "said"]


def test_who_removes_the_last_account_is_reminded_of_the_timer(night: Night) -> None:
    (night.home / ".config" / "inboxstats" / "config.toml").write_text(CONFIG + CONFIG.replace("work", "home"))
    night("install", "--at", "04:10")
    assert night.account("remove", "home", "--yes") == (0, "Removed home.\n", "")
    code, out, err = night.account("remove", "work", "--yes")
    assert (code, err) == (0, "")
    assert out.endswith("Removed work.\nNo account is left, and the timer still runs: inboxstats schedule remove\n")


def test_a_kind_that_does_not_answer_and_a_config_without_accounts_are_refused(night: Night) -> None:
    code, out, err = night("install", "--kind", "systemd")
    assert (code, out) == (2, "")
    assert err.startswith("inboxstats: systemd does not answer on this machine.")
    (night.home / ".config" / "inboxstats" / "config.toml").write_text("")
    code, out, err = night("install")
    assert (code, out) == (2, "")
    assert "There is no account." in err


def test_no_secret_of_the_environment_reaches_the_timer(night: Night) -> None:
    code, _, err = night("install", "--at", "04:10", INBOXSTATS_PASSWORD="canary-7f3a")
    assert code == 0
    assert err == (
        "inboxstats: The timer does not see INBOXSTATS_PASSWORD. "
        "Write it into config.toml, a password into a keyring.\n"
    )
    assert "canary" not in (night.home / "crontab").read_text()
