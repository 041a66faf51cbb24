"""A real terminal with a real interactive bash on it, and the test at the keyboard."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import proc
from client import eventually
from harness import Job

PROMPT = "covey-test$ "


class Terminal(Job):
    """`bash -i` on a pty of its own; what it prints collects in `screen`."""

    def __init__(self, folder, env=None):
        self.keyboard, slave = pty.openpty()
        os.set_inheritable(self.keyboard, False)
        os.set_inheritable(slave, False)
        self.screen = ""
        super().__init__(folder, ["bash", "--norc", "--noprofile", "+o", "history", "-i"],
                         {"PS1": PROMPT, "TERM": "dumb", **(env or {})}, terminal=slave)
        os.close(slave)
        self.expect(re.escape(PROMPT))

    def type(self, text):
        os.write(self.keyboard, text.encode())

    def enter(self, line):
        """Types a line. What was on the screen before is forgotten."""
        self.screen = ""
        self.type(line + "\n")

    def expect(self, pattern, timeout=10.0):
        """Waits until the screen shows the pattern; the match. What was shown up to it is forgotten."""
        until = time.monotonic() + timeout
        while True:
            self.look()
            match = re.search(pattern, self.screen)
            if match:
                self.screen = self.screen[match.end():]
                return match
            assert time.monotonic() < until, f"{pattern!r} not on the screen: {self.screen!r}"
            self.look(0.05)

    def look(self, wait=0.0):
        """Takes in what has been printed."""
        while self.keyboard is not None and select.select([self.keyboard], [], [], wait)[0]:
            try:
                data = os.read(self.keyboard, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                return
            self.screen += data.decode("utf-8", "replace").replace("\r", "")
            wait = 0.0

    def hang_up(self):
        """Closes the terminal, as a terminal emulator does. Returns the time just before."""
        now = time.monotonic()
        os.close(self.keyboard)
        self.keyboard = None
        return now

    def resize(self, columns):
        fcntl.ioctl(self.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def started(self):
        """Everything but the shell itself."""
        return [process for process in self.tree() if process.pid != self.pid]

    def by_role(self, wanted):
        """{pid: slot} of the processes with that role."""
        found = {}
        for process in self.started():
            name, slot = proc.role(process.pid)
            if name == wanted and not process.zombie:
                found[process.pid] = slot
        return found

    def wait_role(self, wanted, count=1, timeout=15.0):
        """Waits until that many processes have the role; their pids, in order."""
        def enough():
            self.look()
            found = sorted(self.by_role(wanted))
            return found if len(found) == count else None

        return eventually(f"{count} {wanted}", enough, timeout)

    def wait_alone(self, since, timeout):
        """Waits until only the shell is left; seconds from `since`. The shell reaps its own children."""
        until = time.monotonic() + timeout
        while True:
            self.look()
            left = self.started()
            if not left:
                return time.monotonic() - since
            assert time.monotonic() < until, f"left: {[str(process) for process in left]}\n{self.screen}"
            time.sleep(0.002)

    def close(self):
        if self.keyboard is not None:
            os.close(self.keyboard)
            self.keyboard = None
        return super().close()
