"""A network namespace of the test's own: ports, loopback and the sysctls under net are nobody else's."""

import contextlib
import ctypes
import os
import subprocess

import pytest

CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def own_network(**sysctls):
    """Nothing but lo, for this thread and what it starts; own_network(tcp_migrate_req=1) sets net.ipv4.tcp_migrate_req."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(here)
        pytest.skip("no network namespace may be made here: " + os.strerror(ctypes.get_errno()))
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for name, value in sysctls.items():
            path = f"/proc/sys/net/ipv4/{name}"
            if not os.path.exists(path):
                pytest.skip(f"this kernel has no {path}")
            with open(path, "w") as file:
                file.write(str(value))
        yield
    finally:
        assert libc.setns(here, CLONE_NEWNET) == 0
        os.close(here)
