"""The article's answer: ten threads with a connection each, and an equal share of the messages each.

ten_threads.py HOST PORT USER PASSWORD FOLDER [MESSAGES]
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from one_by_one import connect, save

THREADS = 10


def main() -> None:
    *login, folder = sys.argv[1:6]
    uids = connect(*login).uid("SEARCH", "ALL")[1][0].split()
    uids = uids[: int(sys.argv[6]) if sys.argv[6:] else None]
    share = -(-len(uids) // THREADS)

    def work(first: int) -> None:
        save(connect(*login), uids[first : first + share], Path(folder))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(0, len(uids), share)))


if __name__ == "__main__":
    main()
