"""Runs one command and tells what it took: seconds, processor seconds and memory.

    python -I -S benchmarks/measure.py OUT WATCH COMMAND...

A process takes over the peak of the one that starts it, so that this one, which starts the command, is small: it
imports little. What the command prints goes to the file OUT. WATCH is 1 to look at all its processes as they run.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_EVERY = 0.1  # seconds between two looks at the processes' memory


class Measured(NamedTuple):
    """Seconds, and MB. `peak_mb` is the largest process's; what comes after it is 0 unless the command was watched.

    processor   -- seconds of all processes, as last seen: those of workers that nobody waits for are told nowhere else
    together_mb -- the most that all processes held at one time, what they share counted once (Linux: PSS)
    """

    seconds: float
    peak_mb: float
    main_mb: float
    child_mb: float
    together_mb: float
    processor: float


def compile_package(package: Path) -> None:
    """Write the bytecode of a package, as pip does when it installs one.

    Else, where PYTHONDONTWRITEBYTECODE is set, each run compiles all of it: a fetch then took 1.2 times as long.
    """
    from compileall import compile_dir

    if not compile_dir(package, quiet=2):
        sys.exit(f"The bytecode of {package} cannot be written, and compiling it would be measured.")


def measured(
    command: Sequence[str], out: Path, *, environment: Mapping[str, str], folder: Path, watch: bool = False
) -> Measured:
    """Run a command in a folder; exits with what it said where it fails."""
    told = subprocess.run(
        [sys.executable, "-I", "-S", __file__, str(out), str(int(watch)), *command],
        env=dict(environment), cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, said, *figures = json.loads(told.stdout)
    if code:
        sys.exit(f"{' '.join(command)} ended with {code}: {said}")
    return Measured(*figures)


def _main() -> None:
    out, watch, *command = sys.argv[1:]
    began = time.perf_counter()
    with open(out, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE)
    peaks: dict[int, int] = {}
    used: dict[int, float] = {}
    together = 0
    if watch == "1":
        while True:
            together = max(together, sum(_memory(process.pid, peaks, used)))
            try:
                _, said = process.communicate(timeout=_EVERY)
                break
            except subprocess.TimeoutExpired:
                continue
    else:
        _, said = process.communicate()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    main_peak = peaks.pop(process.pid, 0)
    memory = [peak, main_peak, max(peaks.values(), default=0), together]
    figures = [seconds, *(kilobytes / 1024 for kilobytes in memory), sum(used.values())]
    print(json.dumps([process.returncode, said.decode(errors="replace")[-2000:], *figures]))


def _memory(pid: int, peaks: dict[int, int], used: dict[int, float]) -> list[int]:
    """What a process and those below it hold now, in kB; notes the peak and the processor seconds of each."""
    held = []
    with suppress(OSError):  # it has just ended
        peaks[pid] = max(peaks.get(pid, 0), _figure(pid, "status", "VmHWM:"))
        # user and system time: fields 14 and 15, counted behind the name, which may hold blanks
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        held.append(_figure(pid, "smaps_rollup", "Pss:"))
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                held += _memory(int(child), peaks, used)
    return held


def _figure(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    _main()
