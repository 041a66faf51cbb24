"""A covey server as a job: its roles, its clients, the ways it ends."""

import os
import signal
import time

import proc
from client import Connection, eventually
from harness import BUILD, EMULATOR, LEAKS_UNSEEN, Job, free_port, port_is_free, sanitized

# The bounds of DESIGN section 1, in seconds, from the signal to nothing left.
TERM_BOUND = 20.1
INT_BOUND = 3.1
STARTING_BOUND = 1.1
KILL_BOUND = 0.35  # 100 ms, and up to 250 ms for a master that lost its guardian
STOPPED_EXTRA = 0.25  # what a stopped worker may add

READY = 15.0  # how long a test waits for a server that has nothing to do but start


def example(name):
    return BUILD / "examples" / name


def within(bound, attempt):
    """The bound in the best of three, ten times the bound always. `attempt(limit)` returns how long it took
    and fails when something is left after `limit`. Builds with sanitizers have no bound."""
    if sanitized():
        return attempt(60.0)
    taken = []
    for _ in range(3):
        taken.append(attempt(min(10 * bound, 60.0)))
        if taken[-1] <= bound:
            return taken[-1]
    raise AssertionError(f"took {[f'{seconds:.3f}' for seconds in taken]} s, bound {bound:.3f} s")


class Server(Job):
    """A program built on covey, serving on a port (or `address`) of its own.

    `program` is a path or the name of an example; `args` follow the usual ones; `settings` become
    COVEY_* variables: boot_delay=100 sets COVEY_BOOT_DELAY.
    """

    def __init__(self, folder, program="testbed", args=(), *, method="spawn", workers=2, address=None,
                 env=None, prepare=None, wrap=None, terminal=None, **settings):
        self.method, self.workers_wanted = method, workers
        self.port = None if address else free_port()
        self.address = address or ("127.0.0.1", self.port)
        command = [*EMULATOR, program if os.sep in str(program) else example(program), *args]
        if self.port:
            command += ["--host", "127.0.0.1", "--port", self.port]
        if workers:
            command += ["--workers", workers]
        if method:
            command += ["--start-method", method]
        command = [str(word) for word in command]
        env = {**(env or {}), **{f"COVEY_{name.upper()}": value for name, value in settings.items()}}
        if "pidns" in command:  # the master's /proc speaks of other processes than it sees
            env.update(LEAKS_UNSEEN)
        super().__init__(folder, wrap(command) if wrap else command, env, prepare, terminal)

    # Roles

    @property
    def guardian(self):
        return self.pid

    def master(self):
        """The pid of the master: the guardian's child that says so, or its only one. None if there is none."""
        below = [process for process in self.tree() if process.ppid == self.guardian and not process.zombie]
        titled = [process.pid for process in below if proc.role(process.pid)[0] == "master"]
        if titled:
            return titled[0]
        mine = [process.pid for process in below if proc.program(process.pid) == proc.program(self.guardian)]
        return mine[0] if len(mine) == 1 else None

    def workers(self):
        """{pid: slot} of the workers that have said their name, oldest slot first."""
        found = {}
        for process in self.tree():
            name, slot = proc.role(process.pid)
            if name == "worker" and not process.zombie:
                found[process.pid] = slot
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def mains(self):
        return [process.pid for process in self.tree()
                if proc.role(process.pid)[0] == "main" and not process.zombie]

    def managed(self, name):
        """{pid: index} of the managed processes of that name."""
        found = {process.pid: proc.managed(process.pid) for process in self.tree() if not process.zombie}
        return {pid: who[1] for pid, who in found.items() if who and who[0] == name}

    def templates(self):
        return [process.pid for process in self.tree()
                if proc.role(process.pid)[0] == "template" and not process.zombie]

    def zombies(self):
        return [process for process in self.tree() if process.zombie]

    def strays(self):
        """Everything but guardian, master, main, templates and workers."""
        mine = {self.guardian, self.master(), *self.workers(), *self.mains(), *self.templates()}
        return [process for process in self.tree() if process.pid not in mine]

    def wait_workers(self, count=None, timeout=READY):
        """Waits until exactly that many workers run; their pids."""
        count = self.workers_wanted if count is None else count

        def enough():
            self._must_run()
            found = self.workers()
            return found if len(found) == count else None

        return eventually(f"{count} workers", enough, timeout)

    def _must_run(self):
        assert self.code is None, f"ended with {self.code}\n{self.tail()}"

    def wait_booting(self, timeout=READY):
        """Waits until every worker is blocked in its start-up; their pids."""
        def blocked():
            found = self.wait_workers(timeout=timeout)
            return found if all(proc.in_sleep(pid) in (True, None) for pid in found) else None

        return eventually("all workers are blocked in their start-up", blocked, timeout)

    # Clients

    def connect(self, timeout=20.0):
        return Connection(self.address, timeout)

    def get(self, path="/", **fields):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.get(path, **fields)

    def wait_serving(self, timeout=READY):
        """Waits until the server answers."""
        def answers():
            self._must_run()
            try:
                return self.get("/pid").status > 0
            except (ConnectionError, FileNotFoundError):
                return False

        eventually("the server answers", answers, timeout)
        return self

    def reach_all(self, count=None, timeout=READY):
        """A kept-alive connection to every worker: {pid: connection}. The ready server.

        Connections stay open while others are made, so that balancing leads to every worker.
        """
        pids = set(self.wait_workers(count, timeout))
        self.wait_serving(timeout)
        found, spare = {}, []
        until = time.monotonic() + timeout
        while set(found) != pids:
            assert time.monotonic() < until, (
                f"no connection to workers {pids - set(found)}, {len(spare)} others to {set(found)}\n{self.tail()}")
            self._must_run()
            connection = self.connect()
            pid = int(connection.get("/pid").text)
            if pid in found or pid not in pids:
                spare.append(connection)
            else:
                found[pid] = connection
            if len(spare) > 200:
                spare.pop(0).close()
        for connection in spare:
            connection.close()
        return found

    # Ends

    def bound(self, number, starting=False):
        if number == signal.SIGKILL:
            return KILL_BOUND
        if number == signal.SIGQUIT:
            return KILL_BOUND
        if starting:
            return STARTING_BOUND
        return INT_BOUND if number == signal.SIGINT else TERM_BOUND

    def assert_all_ended(self):
        """Nothing left, the port free, nothing that a proper end leaves to others to reap."""
        self.assert_nothing_left()
        if self.port:
            assert port_is_free(self.port), f"port {self.port} is still taken"
        elif isinstance(self.address, str):
            assert not os.path.lexists(self.address), f"{self.address} is left"

    def stop(self, number=signal.SIGTERM, code=0, starting=False):
        """Ends the server with one signal to the guardian; seconds until nothing was left."""
        sent = self.send(self.guardian, number)
        taken = self.wait_gone(sent, 60.0 if sanitized() else self.bound(number, starting) * 3)
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.tail()}"
        self.assert_all_ended()
        return taken
