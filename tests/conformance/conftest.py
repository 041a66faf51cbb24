"""The test host as a process of one test module, and what is said to it over raw sockets."""

import signal
import socket
import subprocess

import pytest

from harness import BUILD, EMULATOR

PATIENCE = 20.0


class Host:
    """A running test_host. `limits` are its arguments: request_timeout=500 and so on."""

    def __init__(self, *arguments, path=None, **limits):
        command = [*EMULATOR, str(BUILD / "tests" / "conformance" / "test_host"), *arguments]
        command += ["--unix", str(path)] if path else []
        command += [f"{name}={value}" for name, value in limits.items()]
        self.path = path
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        self.port = int(words[1]) if words and words[0] == "port" else None

    @property
    def sanitized(self):
        with open(f"/proc/{self.process.pid}/exe", "rb") as program:
            return b"__asan_init" in program.read()

    def connect(self):
        if self.path:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(PATIENCE)
            client.connect(str(self.path))
            return client
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Until it has ended, drained: what it wrote to standard error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, err
        assert out == "drained\n"
        return err

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()


@pytest.fixture
def host():
    """Starts test hosts; they must end well when told to."""
    hosts = []

    def start(*arguments, **limits):
        hosts.append(Host(*arguments, **limits))
        return hosts[-1]

    yield start
    for one in hosts:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="module")
def shared_host():
    """One test host for all tests of a module, which leave nothing behind in it."""
    one = Host()
    yield one
    one.stop()
