"""Servers in which one call of one libc function fails, once; or two, the second some time after the first.

tests/faults/faults.c is preloaded into every process of the server and does the failing. What a server is and what
happens to it is a story (stories.py); a play is one telling of it, from start to end, with two faults at most (plays.py).
"""

import ctypes
import mmap
import os
import re
import struct
import subprocess
from dataclasses import dataclass
from functools import cache

from harness import BUILD

ROLES = ("guardian", "master", "birth", "worker", "trial", "launcher")
FAULT = struct.Struct("=4I3Q")  # struct fault of faults.c
HEAD = struct.Struct(f"={2 * FAULT.size}s4Q4I")  # struct plan up to what has been seen
SEEN_MAX = 8192

# The preloaded library, a libcovey.so whose code lies folder by folder, and what is played (tests/faults/meson.build).
LIBRARIES = BUILD / "tests" / "faults"

# What src/supervise and src/base call of libc and is not made to fail.
NEVER_FAIL = {
    "only reads or writes memory": (
        "__errno_location __fprintf_chk __memcpy_chk __snprintf_chk __vsnprintf_chk __stack_chk_fail __fdelt_chk "
        "__cxa_finalize dirfd dirname free freeaddrinfo gai_strerror getauxval getenv inet_ntop memchr memcmp memcpy memmove memrchr "
        "memset sigaddset sigdescr_np sigemptyset sigismember snprintf strchr strcmp strcspn strerror strlen strncmp "
        "strnlen strrchr strsignal strspn strstr strtok_r strftime strtol strtoul strtoull unsetenv"),
    "cannot fail with valid arguments": (
        "clock_gettime getegid geteuid getpid getppid munmap raise sbrk sigaction signal sigpending sigprocmask umask"),
    "closes whatever it says": "close closedir",
    "does not return": "_exit exit __assert_fail abort",
    "what it says is of no use to anybody: it empties the buffer of a log": "fflush",
    # Bodies on disk (base/fd.c), source lines on error pages (base/source.c).
    "is for what serves: src/supervise calls nothing that calls it": "dlopen dlsym mkostemp64",
}


def _lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _symbols(path):
    """[(address, size, name)] of the functions of a file."""
    words = [line.split() for line in _lines("readelf", "-sW", path)]
    return [(int(word[1], 16), int(word[2], 0), word[7]) for word in words if len(word) == 8 and word[3] == "FUNC"
            and word[6].isdigit()]


class Code:
    """Where the code of src/supervise and src/base lies in libcovey.so: the linker has kept each together."""

    def __init__(self):
        self.symbols = sorted(set(_symbols(LIBRARIES / "libcovey.so.0")))
        self.ranges = {folder: self._range(folder) for folder in ("supervise", "base")}

    def _range(self, folder):
        # The compiler puts what is seldom run elsewhere, where that of all folders lies together.
        own = {name for _, _, name in _symbols(BUILD / f"libcv_{folder}.a")
               if name.startswith("cv_") and not name.endswith(".cold")}
        found = [(at, at + size) for at, size, name in self.symbols if name in own]
        least, most = min(at for at, _ in found), max(end for _, end in found)
        strange = [name for at, _, name in self.symbols if least <= at < most and name.startswith("cv_")
                   and name not in own and "." not in name]
        assert not strange, f"other code lies between that of src/{folder}: {strange}"
        return least, most

    def function(self, address):
        """Start and name of the function an instruction is in."""
        return next(((at, name) for at, size, name in self.symbols if at <= address < at + size), (address, "?"))

    def name(self, address):
        """What a place behind a call is called."""
        at, name = self.function(address - 1)
        return f"{name}+{address - at:#x}"

    @cache
    def calls(self, folder):
        """{(place, function of libc)}: every call in that folder's code, with a PLT or without. The place is the address
        behind it."""
        least, most = self.ranges[folder]
        code = [(int(word[1], 16), word[2]) for line in _lines("objdump", "-d", "--no-show-raw-insn",
                                                                 LIBRARIES / "libcovey.so.0")
                if (word := re.match(r"\s*([0-9a-f]+):\s+(.*)", line))]
        call = re.compile(r"(?:addr32 )?(?:call|jmp)\s+(?:\*.* # )?[0-9a-f]+ <([^@>+]+)@(?:plt|GLIBC_)")
        return {(following, word[1]) for (at, text), (following, _) in zip(code, code[1:])
                if least <= at < most and (word := call.match(text))}

    @cache
    def sources(self, folder):
        """{(place, function of libc): the call in the source}, whatever copies the compiler has made of it."""
        calls = sorted(self.calls(folder))
        told = _lines("addr2line", "-a", "-i", "-f", "-e", LIBRARIES / "libcovey.so.0",
                      *(hex(place - 1) for place, _ in calls))
        frames = "\n".join(told).split("\n0x")
        return {call: self._source(call[1], folder, text.splitlines()[1:]) for call, text in zip(calls, frames)}

    def _source(self, name, folder, frames):
        """The innermost frame that is the folder's own: the headers of libc have some, too."""
        for function, position in zip(frames[::2], frames[1::2]):
            file, _, line = position.split(" ")[0].rpartition(":")
            _, found, file = file.partition(f"/src/{folder}/")
            if found:
                return Source(name, function.partition(".")[0], f"{file}:{line}")
        raise AssertionError(f"no source of {name}: {frames}")


@dataclass(frozen=True, order=True)
class Source:
    """A call in the source: of what, in which function, in which line."""
    called: str
    function: str
    line: str

    def __str__(self):
        return f"`{self.called}` in `{self.function}`"


@dataclass(frozen=True)
class Fault:
    """The nth call of that function from that place in that role fails."""
    role: int
    function: int
    at: int
    nth: int
    second: int = 0

    @property
    def call(self):
        return self.role, self.function, self.at



def functions():
    """The names of those that may be made to fail; whether they may so with EINTR, too."""
    loaded, names = ctypes.CDLL(str(LIBRARIES / "libfaults.so")), []
    loaded.faults_name.restype = ctypes.c_char_p
    while (name := loaded.faults_name(len(names))) is not None:
        names.append(name.decode())
    return names, [bool(loaded.faults_has_second(number)) for number in range(len(names))]


class Plan:
    """The file that all processes of a server map: what is to fail, and what has been called."""

    def __init__(self, path):
        self.functions, self.has_second = functions()
        self.code = Code()
        self.path = path
        self.path.write_bytes(bytes(HEAD.size + 16 * SEEN_MAX))
        self.path.chmod(0o666)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def write(self, faults, is_daemon):
        (from_1, to_1), (from_2, to_2) = self.code.ranges.values()
        self.memory[:] = bytes(len(self.memory))
        packed = b"".join(FAULT.pack(fault.role, fault.function, fault.nth, fault.second, fault.at, 0, 0)
                          for fault in faults)
        self.memory[:HEAD.size] = HEAD.pack(packed, from_1, from_2, to_1, to_2, is_daemon, 0, 0, 0)

    def seen(self):
        """{(role, function, place): calls} of the last play."""
        words = struct.unpack_from(f"={2 * SEEN_MAX}Q", self.memory, HEAD.size)
        return {(call >> 8 & 0xff, (call & 0xff) - 1, call >> 16): times
                for call, times in zip(words[::2], words[1::2]) if call}

    def struck(self, number=0):
        """Whether that fault has come to pass."""
        return FAULT.unpack_from(self.memory, number * FAULT.size)[5] != 0

    def late(self):
        """The pid of the worker that is late; 0."""
        return HEAD.unpack_from(self.memory)[-1]

    def describe(self, *faults):
        return ", then ".join(
            f"{ROLES[fault.role]}: {self.functions[fault.function]} in {self.code.name(fault.at)}, call {fault.nth}"
            + (", EINTR" if fault.second else "") for fault in faults) or "without a fault"


def numbers(count, most):
    """Which calls of so many are to fail, `most` of them at most: the first, the last, and some between."""
    if count <= most or most == 1:
        return list(range(1, min(count, most) + 1))
    return sorted({1 + (count - 1) * i // (most - 1) for i in range(most)})
