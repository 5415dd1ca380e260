"""Every executor looks the same to the caller, and a worker that dies costs one item."""

import contextlib
import multiprocessing
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from inboxstats import workers
from inboxstats.workers import BATCH, Engine, Lost

ENGINES: tuple[Engine, ...] = ("serial", "threads", "processes")


def doubled(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


def process_ids(numbers: Sequence[int]) -> list[int]:
    return [os.getpid() for _ in numbers]


def failing(numbers: Sequence[int]) -> list[int]:
    raise ZeroDivisionError(f"{len(numbers)} numbers")


def deadly(numbers: Sequence[int]) -> list[int]:
    """Kills its process at every thirteenth number."""
    if any(number % 13 == 12 for number in numbers):
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(numbers)


def hanging(numbers: Sequence[int]) -> list[int]:
    """Never comes to an end with 7; the pattern holds the interpreter's lock meanwhile, as one of ours would."""
    if 7 in numbers:
        re.match("(a+)+$", "a" * 64 + "b")
    return doubled(numbers)


def breaking_off(numbers: Sequence[int]) -> list[int]:
    """Kills its process in the midst of the way of a result, as any that is longer than a pipe holds may be."""
    frame = sys._getframe()
    while "result_queue" not in frame.f_locals:
        assert frame.f_back is not None
        frame = frame.f_back
    os.write(frame.f_locals["result_queue"]._writer.fileno(), struct.pack("!i", 1000) + b"half")
    os.kill(os.getpid(), signal.SIGKILL)
    return doubled(numbers)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_item_gets_its_result(engine: Engine) -> None:
    items = range(BATCH * 5 + 1)
    assert dict(workers.run(doubled, items, engine=engine, workers=2)) == {item: 2 * item for item in items}


def process_id(_: int) -> int:
    return os.getpid()


def halved(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


@pytest.mark.parametrize("engine", ENGINES)
def test_tasks_of_their_own_keep_their_order_and_raise_what_they_raise(engine: Engine) -> None:
    assert workers.together(halved, [8, 6, 4], engine=engine, workers=2) == [4, 3, 2]
    with pytest.raises(ValueError, match="3 is odd"):
        workers.together(halved, [2, 3], engine=engine, workers=2)


def test_tasks_of_their_own_run_in_processes_of_their_own_which_are_gone_afterwards() -> None:
    ids = set(workers.together(process_id, [1, 2], engine="processes", workers=2))
    assert os.getpid() not in ids
    for each in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


def said_and_waited(pipe: Connection, word: str) -> None:
    pipe.send((word, os.getpid()))
    workers.until_closed(pipe)


def refused(pipe: Connection) -> None:
    pipe.send(ValueError("no room"))


def deaf(pipe: Connection) -> None:
    pipe.send(os.getpid())
    time.sleep(1000)


def test_a_process_beside_the_program_lives_as_long_as_its_context() -> None:
    with workers.beside(said_and_waited, "ready") as (word, process):
        assert word == "ready"
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_what_a_process_beside_the_program_cannot_do_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no room"), workers.beside(refused):
        pass


def test_a_process_beside_the_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_GRACE", 0.1)
    with workers.beside(deaf) as process:
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_items_give_no_results(engine: Engine) -> None:
    assert list(workers.run(doubled, [], engine=engine, workers=2)) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_reaches_the_caller(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError, match="3 numbers"):
        list(workers.run(failing, range(3), engine=engine, workers=2))


def test_the_first_batches_are_small_so_that_every_worker_has_some_of_little_work() -> None:
    sizes = []

    def noted(numbers: Sequence[int]) -> Sequence[int]:
        sizes.append(len(numbers))
        return numbers

    list(workers.run(noted, range(2 * (25 + 50 + 75) + BATCH + 3), engine="serial", workers=2))
    assert sizes == [25, 25, 50, 50, 75, 75, BATCH, 3]


def test_processes_are_processes_and_none_is_left_behind() -> None:
    pids = set(dict(workers.run(process_ids, range(BATCH * 20), engine="processes", workers=2)).values())
    assert 1 <= len(pids) <= 2
    assert os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_that_dies_costs_the_item_that_killed_it() -> None:
    items = range(60)
    found = dict(workers.run(deadly, items, engine="processes", workers=2))
    died = Lost("its parser process died")
    assert found == {item: died if item % 13 == 12 else 2 * item for item in items}


def test_a_process_that_dies_while_the_caller_is_busy_costs_nothing() -> None:
    items = range(BATCH * 20)
    results = workers.run(process_ids, items, engine="processes", workers=2)
    item, pid = next(results)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    time.sleep(1)  # the caller writes a part, and the pool finds out that it is broken
    found = {item: pid, **dict(results)}
    assert found.keys() == set(items)
    assert not [result for result in found.values() if isinstance(result, Lost)]


def test_a_process_that_dies_in_the_midst_of_a_result_leaves_no_thread_that_waits_for_the_rest() -> None:
    before = set(threading.enumerate())
    found = list(workers.run(breaking_off, [1], engine="processes", workers=1, patience=2, deadline=2))
    assert found == [(1, Lost("its parser took more than 2 s"))]
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()


def test_an_item_that_hangs_costs_itself_alone() -> None:
    items = range(60)
    found = dict(workers.run(hanging, items, engine="processes", workers=2, patience=2, deadline=5))
    late = Lost("its parser took more than 5 s")
    assert found == {item: late if item == 7 else 2 * item for item in items}


@pytest.mark.parametrize(
    "text",
    [
        "",  # its worker is idle by the time that the program is killed
        pytest.param("a" * 64 + "b", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can")),
    ],
)
def test_a_killed_program_leaves_no_process_behind(tmp_path: Path, text: str) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        "import re, time\n"
        "def hanging(texts):\n"
        "    print('ready', flush=True)\n"
        "    return [bool(re.match('(a+)+$', text)) for text in texts]\n"
        "if __name__ == '__main__':\n"
        "    from inboxstats import workers\n"
        "    import killed\n"
        f"    for _ in workers.run(killed.hanging, [{text!r}], engine='processes', workers=2):\n"
        "        time.sleep(600)\n"  # busy until it is killed
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        time.sleep(0.5)  # by then the pattern runs, and holds the GIL
        program.kill()
        try:
            program.communicate(timeout=5)  # ends when the last process that has inherited the pipe is gone
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


def test_a_temporary_folder_too_deep_for_a_socket_does_not_matter(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    script = tmp_path / "script.py"
    script.write_text(
        "from inboxstats import workers\n"
        "if __name__ == '__main__':\n"
        "    workers.warm_up()\n"
        "    print(sum(result for _, result in workers.run(list, range(500), engine='processes', workers=2)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], env=os.environ | {"TMPDIR": str(deep)}, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == (f"{sum(range(500))}\n", "")


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="there is no fork server")
def test_ctrl_c_is_no_matter_of_the_fork_server(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal\n"
        "from multiprocessing import forkserver\n"
        "from inboxstats import workers\n"
        "workers.warm_up()\n"
        "started = forkserver._forkserver._forkserver_pid\n"
        "os.kill(started, signal.SIGINT)  # while it imports what workers need\n"
        "print(sum(result for _, result in workers.run(list, range(9), engine='processes', workers=1)))\n"
        "assert forkserver._forkserver._forkserver_pid == started\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "36\n", "")


def test_a_script_without_a_main_guard_can_use_processes(tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text(
        "from inboxstats import workers\n"
        "print('ran')\n"
        "found = workers.run(tuple, [1, 2, 3], engine='processes', workers=2)\n"
        "print(sorted(found))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "ran\n[(1, 1), (2, 2), (3, 3)]\n"), done.stderr


def test_there_is_a_worker_a_processor() -> None:
    assert 1 <= workers.default_workers() <= (os.cpu_count() or 1)
