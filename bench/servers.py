"""The servers that are compared: how each is started, watched and ended.

A server is ended through pidfds of its own processes. nginx runs in a temporary folder with a configuration
of its own on a free loopback port; an nginx of the machine is never touched.
"""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BODY = "Hello, World!"
CONNECTIONS_MAX = 1024
TIMEOUT = 20.0

NGINX_CONF = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "{body}"; }}
    }}
}}
"""


def covey(method):
    def command(folder, port, workers):
        return [ROOT / "build/examples/hello", "--port", port, "--workers", workers, "--start-method", method]

    return command


def nginx(folder, port, workers):
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not use `folder`
    conf = folder / "nginx.conf"
    conf.write_text(
        NGINX_CONF.format(
            folder=folder, port=port, workers=workers, user=user, body=BODY, connections=CONNECTIONS_MAX
        )
    )
    return [shutil.which("nginx"), "-p", folder, "-c", conf, "-e", "stderr"]


SERVERS = {"covey": covey("spawn"), "covey (fork)": covey("fork"), "nginx": nginx}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat(pid):
    """The fields of /proc/PID/stat after the name, None if there is no such process (any more)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def children():
    """{pid: pids of its children} of all processes of the machine."""
    found = {}
    for name in os.listdir("/proc"):
        fields = stat(name) if name.isdigit() else None
        if fields:
            found.setdefault(int(fields[1]), []).append(int(name))
    return found


def first_answer(port, deadline):
    """Asks, on a new connection each time, until the server has answered 200."""
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            if client.recv(4096).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.0002)
    raise TimeoutError(f"no answer from port {port}")


class Server:
    """One running server. As a context manager it leaves no process behind."""

    def __init__(self, name, workers=1, cpu=None):
        self.name, self.n_workers = name, workers
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-bench-"))
        command = [str(word) for word in SERVERS[name](self.folder, self.port, workers)]
        env = {key: value for key, value in os.environ.items() if not key.startswith("COVEY_")}
        self.log = open(self.folder / "log", "w+")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=lambda: cpu is None or os.sched_setaffinity(0, {cpu}),
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if self.process.poll() is None:
                self.end(signal.SIGTERM)
        finally:
            if error is not None:
                self.log.seek(0)
                print(self.log.read())
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def wait_first_answer(self):
        """Seconds from the start of the program to the first 200."""
        first_answer(self.port, self.started + TIMEOUT)
        return time.monotonic() - self.started

    def processes(self):
        """Pids of the whole tree, the first process first."""
        below, found = children(), [self.process.pid]
        for pid in found:
            found += below.get(pid, [])
        return found

    def workers(self):
        """Pids of the workers (the processes without children), once all are there."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            below = children()
            leaves = [pid for pid in self.processes() if pid not in below and pid != self.process.pid]
            if len(leaves) == self.n_workers:
                return leaves
            time.sleep(0.01)
        raise TimeoutError(f"{self.name} has not got its {self.n_workers} workers")

    def cpu_seconds(self):
        """User and system time of the whole tree so far."""
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in map(stat, self.processes()) if fields)
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self, number):
        """Sends the signal to the first process; seconds until no process of the tree is left."""
        left = {}
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                left[os.pidfd_open(pid)] = pid
        poll = select.poll()
        for pidfd in left:
            poll.register(pidfd, select.POLLIN)
        sent = time.monotonic()
        self.process.send_signal(number)
        while left:
            ended = poll.poll(max(0, sent + TIMEOUT - time.monotonic()) * 1000)
            for pidfd, _ in ended:
                poll.unregister(pidfd)
                os.close(pidfd)
                del left[pidfd]
            if not ended:
                break
        taken = time.monotonic() - sent
        for pidfd in left:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
        self.process.wait()
        if left:
            raise TimeoutError(f"{self.name} left {len(left)} processes behind")
        return taken
