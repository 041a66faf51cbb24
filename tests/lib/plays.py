"""A play: one server's life, in which a call fails. Whatever fails, the play comes to its end: see Play.run().

The tester must be a subreaper: what loses its parents in the play becomes its child and is found.
"""

import errno
import fcntl
import os
import pty
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
from pathlib import Path

import cgroups
import proc
from faults import LIBRARIES, Plan
from harness import environment, free_port
from steps import BOUND, Ended, Failed, Over, Steps, children

DOCUMENTED = {0, 1, 2, 3, 4, 69, 70, 71, 74, 75, 78}


def _become_job(terminal):
    """In the child that is to become the server: it is a job in the foreground of a terminal, with a parent in the same
    session, or the kernel would not let it be suspended. That one ends as the job does."""
    job = os.fork()
    if job == 0:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # the tester waits for the end of a pipe
    code = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


class Stage:
    """Where plays of one story are played, one after the other: the folder, the plan, what one server needs."""

    def __init__(self, story):
        self.story = story
        self.folder = Path(tempfile.mkdtemp(prefix="coveytest"))
        for below in ("run", "logs"):
            (self.folder / below).mkdir()
        self.settings = self.folder / "settings.ini"
        self.settings.write_text("graceful_shutdown_timeout = 2\nstop_timeout = 1\nstart_timeout = 3\nhang_timeout = 3\n")
        self.plan = Plan(self.folder / "plan")
        self.others = children(os.getpid())
        self.descriptors = {}  # of guardian and master, when nothing has failed
        self.box = cgroups.Box() if story.in_cgroup else None
        self.old_run = self.box.path / "covey-0123456789abcdef" if self.box else None
        self.give(self.folder, *self.folder.iterdir())

    def close(self):
        if self.box:
            self.box.close()
        shutil.rmtree(self.folder)

    def give(self, *paths):
        """To whoever starts the server."""
        for path in paths if self.story.uid else ():
            os.chown(path, self.story.uid, self.story.uid)

    def command(self, port):
        story = self.story
        words = [*story.program, *story.flags, "--workers", "1", "--config", self.settings, *story.after]
        return [str(word).format(folder=self.folder, port=port) for word in words]

    def files_left(self):
        own = [self.folder / "http.sock", self.folder / "pid", self.folder / "control",
               *sorted((self.folder / "run").rglob("*"), reverse=True), *(self.box.runs() if self.box else [])]
        return [path for path in own if os.path.lexists(path)]

    def play(self, *faults):
        return Play(self, faults).run()


class Play(Steps):
    """One server's life."""

    def __init__(self, stage, faults):
        self.stage, self.story, self.faults = stage, stage.story, faults
        self.failing = {stage.plan.functions[fault.function] for fault in faults}
        self.failing_at = {stage.plan.code.name(fault.at) for fault in faults}
        self.port = free_port()
        self.code = self.terminal = self.worker = self.pidfd = self.old_process = None

    def run(self):
        """Plays. Raises Failed; returns the exit code."""
        stage = self.stage
        stage.plan.write(self.faults, self.story.is_daemon)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(str(stage.folder / "notify"))
        stage.give(stage.folder / "notify")
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
            if not self.faults:
                self._fail("the server ends")
        self._wait_end()

    # The start

    def _start(self):
        stage, story = self.stage, self.story
        env = environment("", stage.folder, {
            "XDG_RUNTIME_DIR": stage.folder / "run", "LD_PRELOAD": LIBRARIES / "libfaults.so",
            "LD_LIBRARY_PATH": LIBRARIES, "FAULTS_PLAN": stage.folder / "plan",
            "NOTIFY_SOCKET": None if story.is_daemon else stage.folder / "notify", **dict(story.env)})
        command, given, slave = stage.command(self.port), open(os.devnull, "rb"), None
        if story.is_activated:
            given = socket.create_server(("127.0.0.1", self.port))
            env["LISTEN_FDS"] = "1"
        if story.shell:
            command = ["sh", "-c", story.shell, "sh", *command]
        if story.has_terminal:
            self.terminal, slave = pty.openpty()
        self._leave_behind()
        if story.is_contested:
            self._contest()
        with open(stage.folder / "log", "wb") as log, given:
            self.server = subprocess.Popen(command, env=env, stderr=log, stdin=given, stdout=subprocess.DEVNULL,
                                           preexec_fn=lambda: self._prepare(slave), cwd=story.cwd)
        if slave is not None:
            os.close(slave)
        jobs = () if slave is None else children(self.server.pid)
        try:
            self._follow(next(iter(jobs), self.server.pid))
        except ProcessLookupError:  # the job has ended already, and its shell has seen it
            self._follow(self.server.pid)

    def _leave_behind(self):
        """What a killed server has left: sockets that nobody listens on, a cgroup in which somebody lives."""
        self.old = set()
        (self.stage.folder / "run/covey").mkdir(mode=0o700)
        self.stage.give(self.stage.folder / "run/covey")
        for name in ("http.sock", "run/covey/killed-1.sock"):
            path = self.stage.folder / name
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if "run" in name else socket.SOCK_STREAM) as old:
                old.bind(str(path))
            self.stage.give(path)
            self.old |= {path.stat().st_ino}
        if self.stage.box:
            self.stage.old_run.mkdir()
            self.old_process = os.posix_spawnp("sleep", ["sleep", "300"], os.environ)
            (self.stage.old_run / "cgroup.procs").write_text(str(self.old_process))

    def _contest(self):
        """Others hold the locks of the folders in which it makes sockets, for a moment."""
        for seconds, folder in ((0.1, self.stage.folder), (0.25, self.stage.folder / "run/covey")):
            held = os.open(folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
            threading.Timer(seconds, os.close, [held]).start()

    def _is_old(self, path):
        if path.name == "covey":
            return any(path.iterdir())  # which have been looked at, too
        return path == self.stage.old_run or path.stat().st_ino in self.old

    def _prepare(self, slave):
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tester may have been started with nohup
        if self.stage.box:
            self.stage.box.enter()
        if slave is not None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            _become_job(slave)
        if self.story.uid:
            os.setgroups([])
            os.setresgid(*[self.story.uid] * 3)
            os.setresuid(*[self.story.uid] * 3)

    def _follow(self, pid):
        """That is the guardian."""
        if self.pidfd is not None:
            os.close(self.pidfd)
        self.guardian, self.pidfd = pid, os.pidfd_open(pid)

    # The end

    def _wait_end(self):
        if self.code is not None:
            return
        until = time.monotonic() + BOUND
        while not self._has_ended(0.02):
            self._hear()
            if time.monotonic() > until:
                self._fail("TERM does not end it")
        if self.guardian == self.server.pid or self.story.has_terminal:
            self.code = self.server.wait()
        else:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.guardian, 0)[1])

    def _look_at_the_end(self):
        """A documented exit code, a sentence if it is not 0, no process, and no file: but for one that could not be
        removed, an empty pid file that could not be locked, and what an older server has left (process or file)."""
        has_said = self.code <= 0 or self.log() or any(name.startswith("cv_log_raw+") for name in self.failing_at)
        if self.code not in DOCUMENTED | set(self.story.may_end_with) or not has_said:
            self._fail(f"exit code {self.code}")
        if os.strerror(errno.EBADF) in self.log() and "readdir64" not in self.failing:
            self._fail("a descriptor is used that is closed")
        if self.faults and self.old_process:
            os.kill(self.old_process, signal.SIGKILL)  # it may have been overlooked
        until = time.monotonic() + 1.0  # a lost guardian's master needs a moment
        while left := self._left():
            if time.monotonic() > until:
                self._fail(f"left: {left}")
            time.sleep(0.001)
        is_lenient = self.faults or not (self.story.is_ordinary or self.story.in_cgroup)
        files = [path for path in self.stage.files_left() if (path.name != "pid" or path.stat().st_size > 0)
                 and not (is_lenient and self._is_old(path))]
        if files and not self.failing & {"unlink", "unlinkat", "statx", "rmdir"}:
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
