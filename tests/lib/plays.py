"""A play: one server's life, in which a call fails. Whatever fails, the play comes to its end: see Play.run().

The tester must be a subreaper: what loses its parents in the play becomes its child and is found.
"""

import fcntl
import os
import pty
import resource
import signal
import socket
import subprocess
import termios
import time
from pathlib import Path

import cgroups
import proc
from faults import LIBRARIES, Plan
from harness import environment, free_port
from steps import BOUND, Ended, Failed, Over, Steps, children

DOCUMENTED = {0, 1, 2, 3, 4, 69, 70, 71, 74, 75, 78}


class Stage:
    """Where plays of one story are played, one after the other: the folder, the plan, what one server needs."""

    def __init__(self, folder, story):
        self.folder, self.story = Path(folder), story
        for below in ("run", "logs"):
            (self.folder / below).mkdir(parents=True)
        self.settings = self.folder / "settings.ini"
        self.settings.write_text("graceful_shutdown_timeout = 2\nstop_timeout = 1\nstart_timeout = 3\nhang_timeout = 3\n")
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

    def play(self, *faults):
        return Play(self, faults).run()


class Play(Steps):
    """One server's life."""

    def __init__(self, stage, faults):
        self.stage, self.story, self.faults = stage, stage.story, faults
        self.failing = {stage.plan.functions[fault.function] for fault in faults}
        self.port = free_port()
        self.code = self.terminal = self.worker = self.pidfd = None

    def run(self):
        """Plays. Raises Failed; returns the exit code."""
        stage = self.stage
        stage.plan.write(self.faults, self.story.is_daemon)
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
            if not self.faults:
                self._fail("the server ends")
        self._wait_end()

    # The start

    def _start(self):
        stage, story = self.stage, self.story
        env = environment("", stage.folder, {
            "XDG_RUNTIME_DIR": stage.folder / "run", "LD_PRELOAD": LIBRARIES / "libfaults.so",
            "LD_LIBRARY_PATH": LIBRARIES, "FAULTS_PLAN": stage.folder / "plan",
            "NOTIFY_SOCKET": None if story.is_daemon else stage.folder / "notify"})
        command, given, slave = stage.command(self.port), open(os.devnull, "rb"), None
        if story.is_activated:
            given = socket.create_server(("127.0.0.1", self.port))
            env["LISTEN_FDS"] = "1"
            command = ["sh", "-c", 'exec 3<&0 0</dev/null; LISTEN_PID=$$ exec "$@"', "sh", *command]
        if story.has_terminal:
            self.terminal, slave = pty.openpty()
        self._leave_behind()
        with open(stage.folder / "log", "wb") as log, given:
            self.server = subprocess.Popen(command, env=env, stderr=log, stdin=given, stdout=subprocess.DEVNULL,
                                           preexec_fn=lambda: self._prepare(slave), cwd=story.cwd)
        if slave is not None:
            os.close(slave)
        self._follow(self.server.pid)

    def _leave_behind(self):
        """What a killed server has left: sockets that nobody listens on, a cgroup."""
        self.old = set()
        (self.stage.folder / "run/covey").mkdir(mode=0o700)
        for name in ("http.sock", "run/covey/killed-1.sock"):
            path = self.stage.folder / name
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if "run" in name else socket.SOCK_STREAM) as old:
                old.bind(str(path))
            self.old |= {path.stat().st_ino}
        if self.stage.box:
            self.stage.old_run.mkdir()

    def _is_old(self, path):
        if path.name == "covey":
            return any(path.iterdir())  # which have been looked at, too
        return path == self.stage.old_run or path.stat().st_ino in self.old

    def _prepare(self, slave):
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
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
