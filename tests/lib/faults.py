"""A server in which one call of one libc function fails, once: played from start to end.

tests/faults/faults.c is preloaded into every process of the server and does the failing. A play is: start,
requests, a command over the control socket, a daemon left behind by a worker, the worker's death and its
replacement, a reload, TERM. Whatever fails, the play comes to its end: see Play.run().

The tester must be a subreaper: what loses its parents in the play becomes its child and is found.
"""

import ctypes
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import proc
from client import Closed, Connection
from harness import BUILD, environment, free_port

ROLES = ("guardian", "master", "birth", "worker")
HEAD = struct.Struct("=4I4QQ")  # struct plan up to its counts
COMMAND = struct.Struct("=II4Iq")  # struct cv_message without its body
STATUS, DONE, VERSION = 128, 194, 1

DOCUMENTED = {0, 1, 2, 3, 4, 69, 70, 71, 74, 75, 78}
BOUND = 15.0  # seconds for any one step: no time-out of the server's that a play may meet is longer


# The preloaded library, and a libcovey.so whose code lies folder by folder (tests/faults/meson.build).
LIBRARIES = BUILD / "tests" / "faults"


def _symbols(path):
    """[(address, size, name)] of the functions of a file."""
    lines = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True, check=True).stdout.splitlines()
    words = [line.split() for line in lines]
    return [(int(word[1], 16), int(word[2], 0), word[7]) for word in words if len(word) == 8 and word[3] == "FUNC"
            and word[6].isdigit()]


def children(pid):
    """The pids of the children of a process of one thread, zombies included."""
    return {int(word) for word in proc.read(f"/proc/{pid}/task/{pid}/children").split()}


class Code:
    """Where the code of src/supervise and src/base lies in libcovey.so: the linker has kept each together."""

    def __init__(self):
        self.symbols = sorted(set(_symbols(LIBRARIES / "libcovey.so.0")))
        self.ranges = [self._range(folder) for folder in ("supervise", "base")]

    def _range(self, folder):
        own = {name for _, _, name in _symbols(BUILD / f"libcv_{folder}.a") if name.startswith("cv_")}
        found = [(at, at + size) for at, size, name in self.symbols if name in own]
        least, most = min(at for at, _ in found), max(end for _, end in found)
        strange = [name for at, _, name in self.symbols if least <= at < most and name.startswith("cv_")
                   and name not in own and "." not in name]
        assert not strange, f"other code lies between that of src/{folder}: {strange}"
        return least, most

    def name(self, address):
        """The function a place is in."""
        return next((f"{name}+{address - at:#x}" for at, size, name in self.symbols if at <= address <= at + size),
                    hex(address))


@dataclass(frozen=True)
class Fault:
    role: int
    function: int
    nth: int
    second: int = 0


class Failed(AssertionError):
    """The play did not end as it must."""


class Ended(Exception):
    """The server has ended before the play."""


class Stage:
    """Where plays are played, one after the other: the folder, the plan, what one server needs."""

    def __init__(self, folder, method):
        self.folder, self.method = Path(folder), method
        (self.folder / "run").mkdir(parents=True)
        self.settings = self.folder / "settings.ini"
        self.settings.write_text("graceful_shutdown_timeout = 2\nstop_timeout = 1\nstart_timeout = 3\n")
        self.library = LIBRARIES / "libfaults.so"
        loaded = ctypes.CDLL(str(self.library))
        loaded.faults_name.restype = ctypes.c_char_p
        self.functions, number = [], 0
        while (name := loaded.faults_name(number)) is not None:
            self.functions.append(name.decode())
            number += 1
        self.has_second = [bool(loaded.faults_has_second(number)) for number in range(len(self.functions))]
        self.code = Code()
        size = HEAD.size + 4 * len(ROLES) * len(self.functions)
        path = self.folder / "plan"
        path.write_bytes(bytes(size))
        with open(path, "r+b") as file:
            self.plan = mmap.mmap(file.fileno(), size)
        self.others = children(os.getpid())
        self.descriptors = {}  # of guardian and master, when nothing has failed

    def command(self, port):
        program = ([BUILD / "examples" / "testbed"] if self.method == "spawn" else
                   [BUILD / "covey", "run", BUILD / "examples" / "testbed.so"])
        return [*program, "--listen", f"127.0.0.1:{port},unix:{self.folder}/http.sock", "--workers", "1",
                "--start-method", self.method, "--pidfile", self.folder / "pid", "--config", self.settings]

    def write_plan(self, fault):
        (from_1, to_1), (from_2, to_2) = self.code.ranges
        self.plan[:] = bytes(len(self.plan))
        self.plan[:HEAD.size] = HEAD.pack(fault.role, fault.function, fault.nth, fault.second, from_1, from_2, to_1,
                                          to_2, 0)

    def counts(self):
        """{(role, function): calls} of the last play."""
        numbers = struct.unpack(f"={len(ROLES) * len(self.functions)}I", self.plan[HEAD.size:])
        return {(at // len(self.functions), at % len(self.functions)): number
                for at, number in enumerate(numbers) if number}

    def failed_at(self):
        """Where the fault has struck; "" if nowhere."""
        place = HEAD.unpack(self.plan[:HEAD.size])[-1]
        return self.code.name(place) if place else ""

    def describe(self, fault):
        return f"{ROLES[fault.role]} {self.functions[fault.function]} {fault.nth}" + (" EINTR" if fault.second else "")

    def files_left(self):
        own = [self.folder / "http.sock", self.folder / "pid", *sorted((self.folder / "run").rglob("*"), reverse=True)]
        return [path for path in own if os.path.lexists(path)]

    def play(self, fault):
        return Play(self, fault).run()


class Play:
    """One server's life. `said` tells what was not as without a fault, but is permitted."""

    def __init__(self, stage, fault):
        self.stage, self.fault, self.said = stage, fault, []
        self.port = free_port()
        self.code = None

    def run(self):
        """Plays. Raises Failed; returns the exit code."""
        stage = self.stage
        stage.write_plan(self.fault)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(str(stage.folder / "notify"))
        env = environment("", stage.folder, {"XDG_RUNTIME_DIR": stage.folder / "run", "LD_PRELOAD": stage.library,
                                             "LD_LIBRARY_PATH": LIBRARIES, "FAULTS_PLAN": stage.folder / "plan",
                                             "NOTIFY_SOCKET": stage.folder / "notify"})
        with open(stage.folder / "log", "wb") as log:
            self.server = subprocess.Popen([str(word) for word in stage.command(self.port)], env=env, stderr=log,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        self.pidfd = os.pidfd_open(self.server.pid)
        try:
            self._act()
            self._look_at_the_end()
            return self.code
        finally:
            self._clean_up()

    def _act(self):
        try:
            first = self._serving()
            self._command()
            self._ask("/child?double=1")
            os.kill(first, signal.SIGKILL)
            second = self._serving(but=first)
            self._reload(second)
            self._count_descriptors()
            self.server.send_signal(signal.SIGTERM)
        except Ended:
            pass
        self._wait_end()

    # Steps

    def log(self):
        return (self.stage.folder / "log").read_text(errors="replace")

    def _fail(self, what):
        below = [str(process) for process in proc.descendants(self.server.pid)]
        raise Failed(f"{self.stage.describe(self.fault)} at {self.stage.failed_at() or 'nowhere'}: {what}\n"
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

    def _serving(self, but=0):
        """Waits until another worker answers than that; its pid."""
        def answers():
            pid = int(self._ask("/pid") or but)
            return pid if pid != but else 0

        return self._until("a worker answers", answers)

    def _reload(self, old):
        """Must succeed; if it says that it has failed, then at the second attempt."""
        for attempt in range(2):
            self.server.send_signal(signal.SIGHUP)

            def done(tried=attempt + 1):
                return int(self._ask("/pid") or old) != old or self._reloads_failed() >= tried

            self._until("the reload", done)
            if self._reloads_failed() <= attempt:
                return
        self._fail("the second reload has failed, too")

    def _reloads_failed(self):
        log = self.log()
        return log.count("the reload has failed") + log.count("not reloaded")

    def _command(self):
        """`status` works, at the latest when asked again. A server may be without a control socket; then it says so."""
        for _ in range(2):
            if self._status():
                return
        if "control socket" not in self.log() and not self._has_ended():
            self._fail("no answer to `status`")

    def _status(self):
        places = (self.stage.folder / "run/covey", Path("/run/covey"), Path(f"/tmp/covey-{os.geteuid()}"))
        found = [path for place in places for path in place.glob(f"*-{self.server.pid}.sock")]
        if not found:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(BOUND)
            try:
                client.connect(str(found[0]))
                client.send(COMMAND.pack(STATUS, 0, 0, 0, 0, VERSION, 0))
                while (answer := client.recv(65536)):
                    if COMMAND.unpack(answer[:COMMAND.size])[0] == DONE:
                        return True
            except ConnectionError:
                pass
            except TimeoutError:
                self._fail("`status` is not answered")
        return False

    def _count_descriptors(self):
        """No descriptor is leaked by whatever has failed. What the reload has left must go first."""
        master = next(iter(children(self.server.pid)), 0)
        if self.fault.nth == 0:
            time.sleep(0.3)
        until, most = time.monotonic() + 2, self.stage.descriptors
        while True:
            found = {"guardian": len(proc.fds(self.server.pid)), "master": len(proc.fds(master))}
            if self.fault.nth == 0:
                self.stage.descriptors = most = found
            if all(found[role] <= most[role] for role in found):
                return
            if time.monotonic() > until:
                self._fail(f"descriptors {found}, without a fault {most}: {proc.fds(self.server.pid)} "
                           f"{proc.fds(master)}")
            time.sleep(0.002)

    # The end

    def _wait_end(self):
        until = time.monotonic() + BOUND
        while not self._has_ended(0.02):
            self._hear()
            if time.monotonic() > until:
                self._fail("TERM does not end it")
        self.code = self.server.wait()

    def _look_at_the_end(self):
        """No process, a documented exit code, and no file: but for one that could not be removed, or an empty pid
        file that could not be locked."""
        if self.code not in DOCUMENTED:
            self._fail(f"exit code {self.code}")
        until = time.monotonic() + 1.0  # a lost guardian's master needs a moment
        while left := self._left():
            if time.monotonic() > until:
                self._fail(f"left: {left}")
            time.sleep(0.001)
        function = self.stage.functions[self.fault.function]
        files = [path for path in self.stage.files_left() if path.name != "pid" or path.stat().st_size > 0]
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
        (self.stage.folder / "notify").unlink()
        for _ in range(100 if self.code is None or self._left() else 0):
            for pid in children(os.getpid()) - self.stage.others:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        if self.code is None:
            self.server.wait()
        for path in self.stage.files_left():
            path.rmdir() if path.is_dir() else path.unlink()


def numbers(count, all_of_them):
    """Which calls of so many are to fail: all, or the first, a middle and the last."""
    return list(range(1, count + 1)) if all_of_them else sorted({1, (count + 1) // 2, count})
