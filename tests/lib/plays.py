"""A play: one server's life, in which a call fails. Whatever fails, the play comes to its end: see Play.run().

The tester must be a subreaper: what loses its parents in the play becomes its child and is found.
"""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

import cgroups
import proc
from client import Closed, Connection
from faults import LIBRARIES, Plan
from harness import ROOT, environment, free_port

COMMAND = struct.Struct("=II4Iq")  # struct cv_message without its body
STATUS, SCALE, RELOAD, RESTART, STOP, LOGS, UPGRADE, DONE = 128, 129, 130, 131, 132, 133, 134, 194
VERSION = int(re.search(r"CV_CONTROL_VERSION (\d+)", (ROOT / "src/supervise/control_message.h").read_text())[1])

DOCUMENTED = {0, 1, 2, 3, 4, 69, 70, 71, 74, 75, 78}
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


class Stage:
    """Where plays of one story are played, one after the other: the folder, the plan, what one server needs."""

    def __init__(self, folder, story):
        self.folder, self.story = Path(folder), story
        for below in ("run", "logs"):
            (self.folder / below).mkdir(parents=True)
        self.settings = self.folder / "settings.ini"
        self.settings.write_text("graceful_shutdown_timeout = 2\nstop_timeout = 1\nstart_timeout = 3\nhang_timeout = 3\n"
                                 + story.settings)
        self.plan = Plan(self.folder / "plan")
        self.others = children(os.getpid())
        self.descriptors = {}  # of guardian and master, when nothing has failed
        self.box = cgroups.Box() if story.in_cgroup else None
        self.old_run = self.box.path / "covey-0123456789abcdef" if self.box else None

    def close(self):
        if self.box:
            self.box.close()

    def command(self, port):
        story = self.story
        words = [*story.program, *story.flags, "--workers", "1", "--config", self.settings, *story.after]
        return [str(word).format(folder=self.folder, port=port) for word in words]

    def files_left(self):
        own = [self.folder / "http.sock", self.folder / "pid", self.folder / "control",
               *sorted((self.folder / "run").rglob("*"), reverse=True), *(self.box.runs() if self.box else [])]
        return [path for path in own if os.path.lexists(path)]

    def play(self, fault):
        return Play(self, fault).run()


class Play:
    """One server's life."""

    def __init__(self, stage, fault):
        self.stage, self.story, self.fault = stage, stage.story, fault
        self.port = free_port()
        self.code = self.terminal = self.worker = self.pidfd = None

    def run(self):
        """Plays. Raises Failed; returns the exit code."""
        stage = self.stage
        stage.plan.write(self.fault, self.story.is_daemon)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(str(stage.folder / "notify"))
        try:
            self._start()
            self._act()
            self._look_at_the_end()
            return self.code
        finally:
            self._clean_up()

    def _act(self):
        try:
            for step in self.story.steps:
                getattr(self, step)()
            os.kill(self.guardian, signal.SIGTERM)
        except Over:
            pass
        except Ended:
            if self.fault.nth == 0:
                self._fail("the server ends")
        self._wait_end()

    # The start

    def _start(self):
        stage, story = self.stage, self.story
        env = environment("", stage.folder, {
            "XDG_RUNTIME_DIR": stage.folder / "run", "LD_PRELOAD": LIBRARIES / "libfaults.so",
            "LD_LIBRARY_PATH": LIBRARIES, "FAULTS_PLAN": stage.folder / "plan",
            "NOTIFY_SOCKET": None if story.is_daemon else stage.folder / "notify", **story.env})
        command, given, slave = stage.command(self.port), open(os.devnull, "rb"), None
        if story.is_activated:
            given = socket.create_server(("127.0.0.1", self.port))
            env["LISTEN_FDS"] = "1"
            command = ["sh", "-c", 'exec 3<&0 0</dev/null; LISTEN_PID=$$ exec "$@"', "sh", *command]
        if story.has_terminal:
            self.terminal, slave = pty.openpty()
        if stage.box:
            stage.old_run.mkdir()
        with open(stage.folder / "log", "wb") as log, given:
            self.server = subprocess.Popen(command, env=env, stderr=log, stdin=given, stdout=subprocess.DEVNULL,
                                           preexec_fn=lambda: self._prepare(slave))
        if slave is not None:
            os.close(slave)
        self._follow(self.server.pid)

    def _prepare(self, slave):
        os.setsid()
        if slave is not None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        if self.stage.box:
            self.stage.box.enter()

    def _follow(self, pid):
        """That is the guardian."""
        if self.pidfd is not None:
            os.close(self.pidfd)
        self.guardian, self.pidfd = pid, os.pidfd_open(pid)

    # Words

    def log(self):
        return "".join(path.read_text(errors="replace")
                       for path in (self.stage.folder / "log", self.stage.folder / "logs" / "log") if path.exists())

    def _fail(self, what):
        plan = self.stage.plan
        where = plan.describe(self.fault) if self.fault.nth else "without a fault"
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
        own = self.stage.folder / "control"
        if not found and not own.exists():
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(BOUND)
            try:
                client.connect(str(found[0] if found else own))
                client.send(COMMAND.pack(command, 0, number, 0, 0, VERSION, 0))
                while (answer := client.recv(65536)):
                    kind, _, code, *_ = COMMAND.unpack(answer[:COMMAND.size])
                    if kind == DONE:
                        return code
            except ConnectionError:
                pass
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

    def stray(self):
        self._ask("/child?double=1")

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

    def reopen(self):
        self._command(LOGS)

    def scale(self):
        self._command(SCALE, 2)
        self._command(SCALE, 1)

    def restart(self):
        """The worker, the main process, the managed ones."""
        self._command(RESTART, 0)
        self._command(RESTART, 0xffffffff)

    def suspend(self):
        os.kill(self.guardian, signal.SIGTSTP)
        os.kill(self.guardian, signal.SIGCONT)
        self.worker = None
        self.serve()

    def more(self):
        os.kill(self.guardian, signal.SIGTTIN)
        self._command(STATUS)
        os.kill(self.guardian, signal.SIGTTOU)

    def interrupt(self):
        os.kill(self.guardian, signal.SIGINT)
        raise Over

    def hang_up(self):
        os.close(self.terminal)
        self.terminal = None
        raise Over

    def descriptors(self):
        """No descriptor is leaked by whatever has failed. What the reload has left must go first."""
        if self.stage.plan.functions[self.fault.function] == "unlinkat":
            return  # a cgroup that could not be removed is kept in mind until it is
        master = next(iter(children(self.guardian)), 0)
        if self.fault.nth == 0:
            time.sleep(0.3)
        until, most = time.monotonic() + 4, self.stage.descriptors
        while True:
            found = {"guardian": len(proc.fds(self.guardian)), "master": len(proc.fds(master))}
            if self.fault.nth == 0:
                self.stage.descriptors = most = found
            if all(found[role] <= most[role] for role in found):
                return
            if time.monotonic() > until:
                self._fail(f"descriptors {found}, without a fault {most}: {proc.fds(self.guardian)} "
                           f"{proc.fds(master)}")
            time.sleep(0.002)

    # The end

    def _wait_end(self):
        if self.code is not None:
            return
        until = time.monotonic() + BOUND
        while not self._has_ended(0.02):
            self._hear()
            if time.monotonic() > until:
                self._fail("TERM does not end it")
        if self.guardian == self.server.pid:
            self.code = self.server.wait()
        else:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.guardian, 0)[1])

    def _look_at_the_end(self):
        """No process, a documented exit code, a sentence if it is not 0, and no file: but for one that could not be
        removed, an empty pid file that could not be locked, and what an older server has left."""
        if self.code not in DOCUMENTED or (self.code != 0 and not self.log()):
            self._fail(f"exit code {self.code}")
        until = time.monotonic() + 1.0  # a lost guardian's master needs a moment
        while left := self._left():
            if time.monotonic() > until:
                self._fail(f"left: {left}")
            time.sleep(0.001)
        function = self.stage.plan.functions[self.fault.function]
        files = [path for path in self.stage.files_left() if (path.name != "pid" or path.stat().st_size > 0)
                 and (path != self.stage.old_run or self.fault.nth == 0)]
        if files and function not in ("unlink", "unlinkat", "statx", "rmdir"):
            self._fail(f"files left: {[str(path) for path in files]}")

    def _left(self):
        """What has fallen to us and lives. The dead are reaped."""
        mine = [found for pid in children(os.getpid()) - self.stage.others if (found := proc.stat(pid))]
        for process in mine:
            if process.zombie:
                os.waitpid(process.pid, 0)
        return [str(process) for process in mine if not process.zombie]

    def _clean_up(self):
        os.close(self.pidfd)
        self.notify.close()
        if self.terminal is not None:
            os.close(self.terminal)
        (self.stage.folder / "notify").unlink()
        for _ in range(100 if self.code is None or self._left() else 0):
            for pid in children(os.getpid()) - self.stage.others:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        if self.server.returncode is None:
            self.server.wait()
        for path in [*self.stage.files_left(), *(self.stage.folder / "logs").iterdir()]:
            path.rmdir() if path.is_dir() else path.unlink()
