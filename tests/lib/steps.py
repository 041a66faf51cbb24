"""What happens in a play: the steps that stories.py names, and how they are looked at. See plays.py."""

import os
import re
import select
import signal
import time
from pathlib import Path

import proc
from client import Closed, Connection
from control import DONE, LOGS, METRICS, RESTART, SCALE, STATUS, UPGRADE, answer, message, raw

BOUND = 15.0  # seconds for any one step: no time-out of the server's that a play may meet is longer


class Failed(AssertionError):
    """The play did not end as it must."""


class Ended(Exception):
    """The server has ended before the play."""


class Over(Exception):
    """The play has ended the server."""


def children(pid):
    """The pids of the children of a process of one thread, zombies included."""
    return {int(word) for word in proc.read(f"/proc/{pid}/task/{pid}/children").split()}


class Steps:
    """Of one server. Play has the rest: stage, story, faults, port; guardian and pidfd, server, worker, terminal."""

    # Words

    def log(self):
        return "".join(path.read_text(errors="replace")
                       for path in (self.stage.folder / "log", self.stage.folder / "logs" / "log") if path.exists())

    def _fail(self, what):
        where = self.stage.plan.describe(*self.faults)
        below = [str(process) for process in proc.descendants(self.guardian)]
        raise Failed(f"{self.story.name}: {where}: {what}\n"
                     f"running: {below}\n{self.log()}")

    def _has_ended(self, wait=0.0):
        return bool(select.select([self.pidfd], [], [], wait)[0])

    def _hear(self):
        try:
            while True:
                self.notify.recv(4096)
        except BlockingIOError:
            pass

    def _until(self, what, check):
        """The first true value of `check`; Ended if the server ends before; a failure after the bound."""
        until = time.monotonic() + BOUND
        while True:
            self._hear()
            found = check()
            if found:
                return found
            if self._has_ended(0.001):
                raise Ended
            if time.monotonic() > until:
                self._fail(f"not within {BOUND} s: {what}")

    def _ask(self, path):
        """The answer's text; "" if there is none."""
        try:
            with Connection(("127.0.0.1", self.port), timeout=BOUND) as connection:
                answer = connection.get(path, Connection="close")
                return answer.text if answer.status == 200 else ""  # the worker may be out of memory
        except (ConnectionError, Closed):
            return ""
        except TimeoutError:
            return self._fail(f"{path} is not answered")

    def _control(self, command, number=0):
        """The answer's code: 0 done, 1 refused or failed, None: there is none."""
        places = (self.stage.folder / "run/covey", Path("/run/covey"), Path(f"/tmp/covey-{os.geteuid()}"))
        found = [path for place in places for path in place.glob(f"*-{self.guardian}.sock")]
        for path in [*found, self.stage.folder / "control"]:
            try:
                with raw(path) as client:
                    client.settimeout(BOUND)
                    client.send(message(command, number))
                    while told := answer(client):
                        kind, code, _ = told
                        if kind == DONE:
                            return code
            except (ConnectionError, FileNotFoundError):
                pass  # it has ended meanwhile, or could not remove a socket before it took another place
            except TimeoutError:
                self._fail(f"command {command} is not answered")
        return None

    def _command(self, command, number=0):
        """It works, at the latest when asked again. Whether it does: a server may be without a control socket; then it
        says so."""
        for _ in range(2):
            if self._control(command, number) == 0:
                return True
        if self._has_ended(0.05):
            raise Ended
        if "control socket" not in self.log():
            if self._has_ended(2.0):
                raise Ended
            self._fail(f"command {command} does not work")
        return False

    # Steps

    def serve(self):
        """Waits until another worker answers than before."""
        before = self.worker

        def answers():
            pid = int(self._ask("/pid") or 0)
            return pid if pid != before else 0

        if self.story.is_daemon and self.worker is None:
            self._become_daemon()
        self.worker = self._until("a worker answers", answers)

    def _become_daemon(self):
        """The command has ended, and its server goes on."""
        until = time.monotonic() + BOUND
        while not self._has_ended(0.02):
            if time.monotonic() > until:
                self._fail("the command does not end")
        if self.server.wait() != 0:
            raise Ended
        self._follow(int((self.stage.folder / "pid").read_text()))

    def status(self):
        self._command(STATUS)
        self._command(METRICS)

    def inspect(self):
        """The inspector asks the master. A fault may end it; then another one answers."""
        def answers():
            try:
                with Connection(str(self.stage.folder / "logs" / "inspector"), timeout=BOUND) as connection:
                    return connection.get("/metrics", Connection="close").status == 200
            except (OSError, Closed):
                return False

        self._until("the inspector answers", answers)

    def stray(self):
        self._ask("/child?double=1")

    def _master(self):
        return next(iter(children(self.guardian)), 0)

    def _send_worker(self, number):
        try:
            os.kill(self._outside(self.worker), number)
        except ProcessLookupError:
            pass  # another fault has ended it

    def _outside(self, pid):
        """The pid as it is seen here: a worker may live in a namespace."""
        for process in proc.descendants(self.guardian):
            ids = re.search(rb"^NSpid:(.*)", proc.read(f"/proc/{process.pid}/status"), re.M)
            if ids and int(ids[1].split()[-1]) == pid:
                return process.pid
        return pid

    def killed(self):
        self._send_worker(signal.SIGKILL)
        self.serve()

    def aborted(self):
        self._send_worker(signal.SIGABRT)
        self.serve()

    def template(self):
        """The template dies, and then the worker."""
        for process in proc.descendants(self.guardian):
            if proc.role(process.pid)[0] == "template":
                os.kill(process.pid, signal.SIGKILL)
        self.killed()

    def stop_template(self):
        """It is asked for the next worker, and says nothing."""
        for process in proc.descendants(self.guardian):
            if proc.role(process.pid)[0] == "template":
                os.kill(process.pid, signal.SIGSTOP)

    def stop_master(self):
        """It is killed for that, and everything ends; at the latest when told."""
        os.kill(self._master(), signal.SIGSTOP)
        if self._has_ended(2.0):
            raise Over
        if not self.faults:
            self._fail("a stopped master is not ended")

    def lose_master(self):
        """Its worker comes too late, and so ends by itself."""
        worker = self._until("the worker is late", self.stage.plan.late)
        os.kill(self.guardian, signal.SIGSTOP)
        os.kill(self._master(), signal.SIGKILL)
        until = time.monotonic() + 3.0
        while proc.stat(worker) and not proc.stat(worker).zombie:
            if time.monotonic() > until:
                self._fail("the worker goes on without a master")
            time.sleep(0.001)
        os.kill(self.guardian, signal.SIGCONT)
        raise Over

    def nest(self):
        """The worker has cgroups within its own."""
        for run in self.stage.box.runs():
            for own in run.iterdir():
                if own.is_dir():
                    (own / "nested" / "deep").mkdir(parents=True)

    def interrupt_launcher(self):
        """Before its server serves."""
        def workers():
            """The launcher has a guardian, that a master."""
            return [process for process in proc.descendants(self.guardian) if proc.role(process.pid)[0] == "worker"]

        self._until("it has a server", workers)
        os.kill(self.guardian, signal.SIGINT)
        raise Over

    def reload(self):
        """Must succeed; if it says that it has failed, then at the second attempt."""
        for attempt in range(2):
            os.kill(self.guardian, signal.SIGHUP)

            def done(tried=attempt + 1):
                return int(self._ask("/pid") or self.worker) != self.worker or self._reloads_failed() >= tried

            self._until("the reload", done)
            if self._reloads_failed() <= attempt:
                self.worker = int(self._ask("/pid") or 0)
                return
        self._fail("the second reload has failed, too")

    def _reloads_failed(self):
        log = self.log()
        return log.count("the reload has failed") + log.count("not reloaded")

    def upgrade(self):
        if not self._command(UPGRADE):
            os.kill(self.guardian, signal.SIGUSR2)
        self.serve()

    def upgrade_twice(self):
        """The second is asked while the first one is tried."""
        os.kill(self.guardian, signal.SIGUSR2)
        self._until("a trial", lambda: "the new program is tried" in self.log() or "not upgraded" in self.log())
        os.kill(self.guardian, signal.SIGUSR2)
        self.serve()

    def reopen(self):
        self._command(LOGS)

    def scale(self):
        self._command(SCALE, 2)
        self._command(SCALE, 1)

    def restart(self):
        """The worker and the main process."""
        self._command(RESTART, 0)
        self._command(RESTART, 0xffffffff)

    def suspend(self):
        """As Ctrl+Z and fg do. A fault may keep it from stopping."""
        os.kill(self.guardian, signal.SIGTSTP)
        until = time.monotonic() + 0.3
        while proc.stat(self.guardian).state != "T" and time.monotonic() < until:
            time.sleep(0.001)
        os.kill(self.guardian, signal.SIGCONT)
        self.worker = None
        self.serve()

    def more(self):
        """The second worker is ready before one goes, so that the same calls are made each time. A fault may lose the
        signal: then the command starts it."""
        os.kill(self.guardian, signal.SIGTTIN)
        until = time.monotonic() + 0.5
        while "2 workers wanted" not in self.log() and time.monotonic() < until:
            time.sleep(0.002)
        self._command(SCALE, 2)
        os.kill(self.guardian, signal.SIGTTOU)

    def interrupt(self):
        os.kill(self.guardian, signal.SIGINT)
        raise Over

    def hang_up(self):
        """A shell passes it on to its jobs."""
        os.close(self.terminal)
        os.kill(self.guardian, signal.SIGHUP)
        self.terminal = None
        raise Over

    def descriptors(self):
        """No descriptor is leaked by whatever has failed. What the reload has left must go first."""
        if "unlinkat" in self.failing or any(name.startswith("remove_tree") for name in self.failing_at):
            return  # a cgroup that could not be removed is kept in mind until it is
        master = self._master()
        if not self.faults:
            time.sleep(0.3)
        until, most = time.monotonic() + 4, self.stage.descriptors
        while True:
            found = {"guardian": len(proc.fds(self.guardian)), "master": len(proc.fds(master))}
            if not self.faults:
                self.stage.descriptors = most = found
            if all(found[role] <= most[role] for role in found):
                return
            if time.monotonic() > until:
                self._fail(f"descriptors {found}, without a fault {most}: {proc.fds(self.guardian)} "
                           f"{proc.fds(master)}")
            time.sleep(0.002)
