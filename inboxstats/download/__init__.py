"""I/O threads: what a server has and the archive has not, in chunks from a shared queue.

Downloading waits for the network, so threads do it: one connection each, as SELECT is state of the connection. The
queue is shared, so that a slow connection holds nobody up; several chunks are under way on a connection, so that the
server never waits.

pool.py begins and ends the threads; worker.py is the life of one; admission.py decides when it may connect, calls.py
whether there is work for it; run.py is what they share: what to ask for next (agenda.py, from the queues of chunks.py)
and what came of it (records.py).
"""

from inboxstats.download.pool import Pool, download
from inboxstats.download.records import Budget, Connection, Downloaded, Failure, Overture, Wanted

__all__ = ["Budget", "Connection", "Downloaded", "Failure", "Overture", "Pool", "Wanted", "download"]
