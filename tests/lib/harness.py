"""Jobs under test, and the one promise all tests check: nothing of a job is left.

A job is any command, started in a session of its own (or on a terminal) under a reaper (reaper.py)
and with a random tag in its environment. Its processes are found by descent from the reaper and by
the tag, never by name, zombies included; they are ended by pidfd.
"""

import functools
import os
import random
import select
import signal
import socket
import time
from pathlib import Path

import cgroups
import proc
import reaper
from client import eventually

TAG = "COVEYTEST_TAG"
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("COVEY_BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
EMULATOR = os.environ.get("COVEY_EMULATOR", "").split()  # what runs the programs of a build for another processor

# The environment of what ends where /proc does not show it: LeakSanitizer would fail there.
LEAKS_UNSEEN = {"LSAN_OPTIONS": "detect_leaks=0"}


@functools.cache
def sanitized():
    """The sanitizer the build under test carries, "" if none: such a build has no time bounds."""
    library = proc.read(BUILD / "libcovey.so")
    for mark, name in ((b"__asan_init", "address"), (b"__tsan_init", "thread"), (b"__ubsan_handle", "undefined")):
        if mark in library:
            return name
    return ""


def free_port(host="127.0.0.1"):
    """A port nobody listens on, outside the range the kernel takes for outgoing connections."""
    while True:
        port = random.randrange(15000, 32000)
        if port_is_free(port, host):
            return port


def port_is_free(port, host="127.0.0.1"):
    """Whether a server could listen on the port at once (time-wait remains do not count)."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return not proc.listens(port)


def shared_memory():
    """Names of all shared memory, semaphores and queues of the machine."""
    names = {f"/dev/shm/{name}" for name in os.listdir("/dev/shm")} if os.path.isdir("/dev/shm") else set()
    for kind in ("shm", "sem", "msg"):
        lines = proc.read(f"/proc/sysvipc/{kind}").decode().splitlines()[1:]
        names |= {f"sysv {kind} {line.split()[1]}" for line in lines}
    return names


def files_below(folder):
    """Not ThreadSanitizer's own, which a process leaves that is killed in the moment in which it has it."""
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*")
            if not (sanitized() and path.name.startswith("tsan.rodata."))}


def environment(tag, folder, more=None):
    """A small environment: nothing of the tester's own settings leaks in."""
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "TMPDIR": str(folder),
           "XDG_RUNTIME_DIR": str(folder), "LC_ALL": "C.UTF-8", TAG: tag}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    if sanitized():  # a crash that a test asks for shall be one
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_abort=0"
    env.update(more or {})
    return {name: str(value) for name, value in env.items() if value is not None}


class Job:
    """A command and everything it started.

    `folder` receives stdout, stderr and the working directory `cwd/`; `env` is added to a small
    environment (None removes a variable); `prepare` runs in the child right before exec; `terminal`
    is the slave side of a pty that becomes the controlling terminal.
    """

    def __init__(self, folder, argv, env=None, prepare=None, terminal=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cwd = self.folder / "cwd"
        self.cwd.mkdir(exist_ok=True)
        self.argv = [str(word) for word in argv]
        self.tag = f"{os.getpid()}-{random.getrandbits(64):016x}"
        self.env = environment(self.tag, self.cwd, env)
        self.reaped, self.empty_at, self.exec_error = {}, None, None
        self.files, self.shared, self.cgroups = files_below(self.cwd), shared_memory(), cgroups.runs()
        self.started_at = time.monotonic()
        self.pid, self._text = None, b""
        self.reaper, self._report, self._control = reaper.start(lambda: self._launch(prepare, terminal))
        eventually("the reaper has started the job", lambda: self._hear(1.0) or self.pid, 5)

    def _launch(self, prepare, terminal):
        os.setsid()
        if terminal is None:
            inputs = os.open("/dev/null", os.O_RDONLY)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            files = [inputs, os.open(self.folder / "stdout", flags, 0o600),
                     os.open(self.folder / "stderr", flags, 0o600)]
        else:
            import fcntl
            import termios
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
            files = [terminal] * 3
        for number, fd in enumerate(files):
            os.dup2(fd, number)
        reaper.close_on_exec_from(3)  # the tester's own descriptors are not the job's
        os.chdir(self.cwd)
        if prepare:
            prepare()
        os.execvpe(self.argv[0], self.argv, self.env)

    # What the reaper says

    def _hear(self, wait=0.0):
        """Takes in the reaper's reports, waiting up to `wait` for one."""
        while self._report is not None and select.select([self._report], [], [], wait)[0]:
            data = os.read(self._report, 65536)
            if not data:
                raise AssertionError("the reaper has died")
            *lines, self._text = (self._text + data).split(b"\n")
            for line in lines:
                self._note(line.decode().split())
            wait = 0.0

    def _note(self, words):
        if words[0] == "S":
            self.pid = int(words[1])
        elif words[0] == "X":
            self.exec_error = int(words[1])
        elif words[0] == "R":
            self.reaped[int(words[1])] = (int(words[2]), float(words[3]))
        elif words[0] == "E":
            self.empty_at = float(words[1])

    @property
    def code(self):
        """The exit code of the started process, -s if signal s killed it, None while it lives."""
        self._hear()
        return self.reaped[self.pid][0] if self.pid in self.reaped else None

    @property
    def gone(self):
        """Whether nothing is left."""
        self._hear()
        return self.empty_at is not None

    # Processes

    def tree(self):
        """Every process of the job, zombies included."""
        return [] if self.gone else proc.descendants(self.reaper)

    def leftovers(self):
        """Every process of the job by both criteria, as text."""
        found = {process.pid: process for process in self.tree()}
        found.update((process.pid, process) for process in proc.tagged(self.tag))
        return [str(process) for process in found.values()]

    def send(self, pid, number):
        """Sends a signal to one process of the job, by pidfd. Returns the time just before."""
        fd = os.pidfd_open(pid)
        try:
            if not any(process.pid == pid for process in self.tree()):
                assert proc.stat(pid) is None, f"{pid} is not of this job"
                raise ProcessLookupError(pid)
            now = time.monotonic()
            signal.pidfd_send_signal(fd, number)
            return now
        finally:
            os.close(fd)

    def send_group(self, number):
        """Signals the process group of the job: that of the started process. Returns the time just before."""
        assert proc.stat(self.pid).pgrp == self.pid and not self.code
        now = time.monotonic()
        os.killpg(self.pid, number)
        return now

    def wait_gone(self, since, timeout):
        """Waits until nothing is left; seconds from `since` to then, or a failure that lists what is left."""
        until = time.monotonic() + timeout
        while not self.gone:
            rest = until - time.monotonic()
            if rest <= 0:
                raise AssertionError(f"left after {timeout:.2f} s: {self.leftovers()}\n{self.tail()}")
            self._hear(rest)
        return self.empty_at - since

    def wait_code(self, timeout=10.0):
        """Waits until the started process has ended; its exit code."""
        until = time.monotonic() + timeout
        while self.code is None:
            rest = until - time.monotonic()
            assert rest > 0, f"still running after {timeout} s: {self.leftovers()}\n{self.tail()}"
            self._hear(rest)
        return self.code

    # Output

    @property
    def out(self):
        return proc.read(self.folder / "stdout").decode("utf-8", "replace")

    @property
    def err(self):
        return proc.read(self.folder / "stderr").decode("utf-8", "replace")

    def tail(self, lines=25):
        return "stderr:\n" + "\n".join(self.err.splitlines()[-lines:])

    # The end

    def assert_nothing_left(self):
        """No process (by descent and by tag), no file, no shared memory, no cgroup. Without a second chance."""
        assert self.gone, f"left: {self.leftovers()}\n{self.tail()}"
        left = self.leftovers()
        assert not left, f"left, by its tag: {left}"
        files = files_below(self.cwd) - self.files
        assert not files, f"files left: {sorted(files)}"
        shared = self._shared_memory_left()
        assert not shared, f"shared memory left: {sorted(shared)}"
        left = {path for path in cgroups.runs() - self.cgroups if not cgroups.is_owned(path)}
        assert not left, f"cgroups left: {sorted(left)}"

    def _shared_memory_left(self):
        """New names of shared memory that stay and that nobody uses. With no process left, that is all the job
        can have made; what is in use, or comes and goes, is another program's on this machine."""
        until = time.monotonic() + 3
        left = shared_memory() - self.shared
        while left and time.monotonic() < until:
            time.sleep(0.05)
            left &= shared_memory()
            left = {name for name in left if not proc.is_mapped(name)}
        return left

    def close(self):
        """Kills whatever is left and forgets the job. Returns what was killed, as text."""
        if self._report is None:
            return []
        self._hear()
        left = [] if self.gone else self.leftovers()
        os.close(self._control)
        os.close(self._report)
        self._report = None
        os.waitpid(self.reaper, 0)
        for process in proc.tagged(self.tag):
            left.append(f"outside: {process}")
            reaper.kill(process)
        return left


def run(folder, argv, timeout=15.0, **how):
    """Runs a command that ends by itself; checks that nothing is left; the finished job."""
    job = Job(folder, argv, **how)
    try:
        job.wait_code(timeout)
        job.wait_gone(time.monotonic(), 1.0)
        job.assert_nothing_left()
    finally:
        job.close()
    return job
