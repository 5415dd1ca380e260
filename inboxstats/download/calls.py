"""Which connections there is work for. Who has logged in before that is known waits here."""

from inboxstats.download.records import Connection
from inboxstats.download.run import Run
from inboxstats.mail import Mailbox


class Calls:
    """Each connection is called or not; once that is settled, it may still be called later. Under the run's lock.

    mailbox -- where the work is expected, ``None`` where that is not known
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._called: set[Connection] = set()
        self._is_settled = False
        self.mailbox: Mailbox | None = None

    def call(self, connection: Connection) -> None:
        """There is work for it."""
        with self._run.lock:
            self._called.add(connection)
            self._run.lock.notify_all()

    def settle(self) -> None:
        """For those that are not called there is no work as it seems: they need not stay connected."""
        with self._run.lock:
            self._is_settled = True
            self._run.lock.notify_all()

    def is_called(self, connection: Connection) -> bool:
        """Wait until that is settled, or the run ends."""
        return self._awaited(connection, until_settled=True)

    def is_called_at_last(self, connection: Connection) -> bool:
        """Wait until it is called, or the run ends."""
        return self._awaited(connection, until_settled=False)

    def _awaited(self, connection: Connection, *, until_settled: bool) -> bool:
        run = self._run
        with run.lock:
            while connection not in self._called and not (until_settled and self._is_settled):
                if run.stopped or run.is_over:
                    return False
                run.lock.wait()
            return connection in self._called
