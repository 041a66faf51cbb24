"""cgroups for tests: boxes to start jobs in, and the check that covey leaves none of its own."""

import fcntl
import os
import random
import re
import time
from pathlib import Path

import proc

RUN = re.compile(r"^covey-[0-9a-f]{16}$")
BOX = re.compile(r"/coveytest-([0-9]+)-")
DEPTH = 5  # of services below the root


def mount(kind="cgroup2", controller=None):
    """Where version 2, or a controller of version 1, is mounted; None if it is not."""
    for line in proc.read("/proc/self/mountinfo").decode().splitlines():
        head, _, tail = line.partition(" - ")
        what, _, options = tail.split()
        if what == kind and (controller is None or controller in options.split(",")):
            return Path(head.split()[4].replace("\\040", " "))
    return None


def memory_v1():
    return mount("cgroup", "memory")


def can_be_made(where):
    """Whether this process may make cgroups there."""
    if where is None:
        return False
    try:
        box = Box(where)
    except OSError:
        return False
    box.close()
    return True


def _below(folder, depth):
    try:
        found = [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for path in found:
        yield path
        if depth > 0:
            yield from _below(path, depth - 1)


def _is_others(path):
    """Whether it is in a box of another tester, at work beside this one."""
    box = BOX.search(path)
    return box is not None and int(box.group(1)) != os.getpid()


def runs():
    """Every directory of a run of covey, by whatever server that this tester may have started."""
    root = mount()
    found = _below(root, DEPTH) if root else ()
    return {path for path in found if RUN.match(os.path.basename(path)) and not _is_others(path)}


def is_owned(path):
    """Whether a living guardian or master holds it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Box:
    """A cgroup of the test's own, by default of version 2."""

    def __init__(self, where=None, **files):
        self.path = (where or mount()) / f"coveytest-{os.getpid()}-{random.getrandbits(32):08x}"
        self.path.mkdir()
        try:
            for name, value in files.items():
                (self.path / name.replace("__", ".")).write_text(str(value))
        except OSError:
            self.close()
            raise

    def enter(self):
        """For `prepare`: the process and what it starts will be in it."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def give_to(self, uid):
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(self.path / name, uid, uid)

    def runs(self):
        return sorted(path for path in self.path.iterdir() if path.is_dir() and RUN.match(path.name))

    def incarnations(self):
        """{number: pids} of the only run there is."""
        run, = self.runs()
        found = {}
        for path in run.iterdir():
            if path.is_dir():
                found[int(path.name)] = [int(pid) for pid in proc.read(path / "cgroup.procs").split()]
        return found

    def close(self):
        """Removes it with what it holds. The processes have gone, but the kernel may need a moment."""
        until = time.monotonic() + 2
        while self.path.exists():
            for path in sorted(_below(self.path, DEPTH), key=len, reverse=True):
                _remove(path)
            if _remove(self.path):
                return
            assert time.monotonic() < until, f"somebody is left in {self.path}"
            time.sleep(0.01)


def _remove(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
