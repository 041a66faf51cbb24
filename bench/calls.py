"""How many system calls a request costs a server: the kernel counts them (tracepoints, read by perf).

Unlike strace, that leaves the server its speed, so that as much has come with each epoll_wait as without it. perf must
be allowed to: as root, or with kernel.perf_event_paranoid at -1 and a readable /sys/kernel/tracing.
"""

import contextlib
import os
import signal
import subprocess

import servers
import traffic

SECONDS = 0.5
ALL = "raw_syscalls:sys_enter"
NAMES = ("recvfrom", "sendto", "read", "write", "readv", "writev", "sendmsg", "recvmsg", "epoll_wait", "accept4", "close",
         "shutdown", "epoll_ctl", "setsockopt", "ioctl", "getpid", "sendfile64")


def counted(text):
    """{name: how often} of what `perf stat -x,` prints, those that were not called left out; "all" is their sum."""
    found = {}
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit() and int(fields[0]) > 0:
            found["all" if fields[2] == ALL else fields[2].removeprefix("syscalls:sys_enter_")] = int(fields[0])
    if "all" not in found:
        raise RuntimeError(f"perf has counted nothing: {text.strip().splitlines()[:1]}")
    return found


def said(calls):
    """The calls of a request in words, the most frequent first; those of fewer than one in 2,000 left out."""
    names = sorted((name for name in calls if name != "all" and calls[name] >= 0.0005), key=calls.get, reverse=True)
    return ", ".join(f"{name} {calls[name]:.3f}" for name in names)


class Counter:
    """Counts the calls of processes, from when it is there until told to stop."""

    def __init__(self, pids):
        events = ",".join([ALL, *(f"syscalls:sys_enter_{name}" for name in NAMES)])
        heard, ack = os.pipe()
        control, told = os.pipe()
        command = ["perf", "stat", "-x", ",", "-D", "-1", "--control", f"fd:{control},{ack}", "-e", events,
                   "-p", ",".join(map(str, pids))]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True, pass_fds=(control, ack), env=os.environ | {"LC_ALL": "C"})
        os.close(control)
        os.close(ack)
        with open(told, "wb", buffering=0) as tell, open(heard, "rb", buffering=0) as hear, contextlib.suppress(OSError):
            tell.write(b"enable\n")
            hear.read(4)  # it counts, or has ended

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        return counted(self.process.communicate(timeout=30)[1])


def count(rival, shape):
    """{name: calls of one request}"""
    with servers.Server(rival, cpu=traffic.SERVER_CPU) as server:
        server.wait_listening()
        with traffic.Client(server, shape, SECONDS) as client:
            counter = Counter([process.pid for process in server.tree()])
            requests = client.run()["requests"]
            return {name: number / requests for name, number in counter.stop().items()}
