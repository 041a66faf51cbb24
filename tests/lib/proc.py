"""What /proc says about processes. Every reader copes with a process that is gone meanwhile."""

import os
import re
from dataclasses import dataclass

TITLE = re.compile(r"^(?P<name>.+): (?P<role>guardian|master|main|template|worker (?P<slot>\d+))$")


@dataclass(frozen=True)
class Proc:
    """One process as it was when /proc was read; pid and start time together identify it."""

    pid: int
    ppid: int
    pgrp: int
    session: int
    state: str
    comm: str
    start: int

    @property
    def zombie(self):
        return self.state in "ZX"

    def __str__(self):
        return f"{self.pid} (parent {self.ppid}, {self.state}) {cmdline(self.pid) or '[' + self.comm + ']'}"


def read(path):
    """The bytes of a file of /proc, b"" if there is no such file any more or it may not be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def stat(pid):
    """The process with that pid, None if there is none."""
    text = read(f"/proc/{pid}/stat").decode("utf-8", "replace")
    if not text:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Proc(pid=int(pid), comm=head.partition("(")[2], state=fields[0], ppid=int(fields[1]),
                pgrp=int(fields[2]), session=int(fields[3]), start=int(fields[19]))


def everything():
    found = (stat(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def descendants(root):
    """Every process below `root`, zombies included, parents before their children."""
    children = {}
    for process in everything():
        children.setdefault(process.ppid, []).append(process)
    found, ahead = [], [root]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += [process.pid for process in below]
    return found


def tagged(tag):
    """Every process that carries `tag` in the environment it was started with."""
    needle = tag.encode()
    return [process for process in everything()
            if needle in read(f"/proc/{process.pid}/environ")]


def cmdline(pid):
    """The command line as ps shows it; a process title replaces it."""
    return read(f"/proc/{pid}/cmdline").rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace").strip()


def role(pid):
    """("worker", 3), ("master", None), ... by the process title; (None, None) for anything else."""
    match = TITLE.match(cmdline(pid))
    if not match:
        return None, None
    slot = match["slot"]
    return (match["role"].split()[0], int(slot)) if slot else (match["role"], None)


def managed(pid):
    """("queue", 0) of a managed process that runs a function of the app, by its title; None for anything else."""
    match = re.match(r"^.+: (?P<name>[\w.-]+) (?P<index>\d+)$", cmdline(pid))
    return (match["name"], int(match["index"])) if match and match["name"] != "worker" else None


def program(pid):
    """The file the process runs, "" if unknown."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def fds(pid):
    """{number: what it is} of the open descriptors."""
    found = {}
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
            except OSError:
                pass
    except OSError:
        pass
    return found


def held(pid):
    """How many descriptors are open, but for those of slots' memory: one for each slot that was ever used."""
    return sum("covey-region" not in what for what in fds(pid).values())


def status(pid):
    """The fields of /proc/PID/status."""
    lines = read(f"/proc/{pid}/status").decode("utf-8", "replace").splitlines()
    return dict((line.partition(":")[0], line.partition(":")[2].strip()) for line in lines)


def switches(pid):
    """How often the process went to sleep by itself: how often it had been woken up."""
    return int(status(pid).get("voluntary_ctxt_switches", 0))


def in_sleep(pid):
    """Whether the process sits in a blocking sleep() (x86-64 and aarch64 numbers); None if the kernel does not say."""
    text = read(f"/proc/{pid}/syscall").split()
    if not text:
        return None
    return text[0] in (b"230", b"35", b"115", b"101")


def is_mapped(path):
    """Whether any process has the file mapped, under whatever name it did so (sem_open() renames)."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    needle = f" {os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x} {found.st_ino} ".encode()
    return any(needle in read(f"/proc/{process.pid}/maps") for process in everything())


def listens(port):
    """Whether any process listens on that TCP port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(table).decode().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return True
    return False
