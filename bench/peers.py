"""How each of the servers that are compared is started, told to reload, and what its workers look like.

Each gets the flags that make it do its best: workers of its own, dead ones replaced, no access log. `quick` stands
for "wait one second at most for what is under way when you are told to stop", in its own words. What they serve is
in apps/.
"""

import functools
import http.client
import os
import shutil
import signal
import subprocess

import harness  # tests/lib, see servers.py
import proc
from apps import compile_c

BENCH = harness.ROOT / "bench"
WORK = harness.ROOT / "build/bench"  # folders of running servers, what is compiled for them, what was measured
VENV = harness.ROOT / "build/peers/bin"
BUILT = harness.BUILD / "bench"  # our own floor and client
PHASES = ("booting", "idle", "serving", "child")


class Peer:
    name = ""
    phases = PHASES  # those it can be in
    keeps_alive = True
    no_reload = None  # or why there is none
    reload_pause = 0.0  # seconds after a reload before it hears of the next
    quick_env = {}

    def argv(self, server, quick):
        """The command line."""
        raise NotImplementedError

    def env(self, server):
        return {}

    def is_worker(self, server, process):
        return process.ppid == server.pid

    def gather(self, server):
        """Returns once every worker serves."""
        for connection in server.reach().values():
            connection.close()

    def reload(self, server):
        """Asks for a reload without loss; returns at once."""
        server.send(server.pid, signal.SIGHUP)

    def version(self):
        raise NotImplementedError

    def is_there(self):
        return True


@functools.cache
def compiled_app():
    return compile_c(WORK, (BENCH / "apps/app.c").read_text(), name="bench")


class Covey(Peer):
    quick_env = {"COVEY_GRACEFUL_SHUTDOWN_TIMEOUT": "0.5", "COVEY_STOP_TIMEOUT": "0.5"}

    def __init__(self, method):
        self.name = "covey" if method == "spawn" else f"covey ({method})"
        self.method = method
        self.no_reload = "needs another method" if method == "fork" else None

    def argv(self, server, quick):
        return [compiled_app(), "--port", server.port, "--workers", server.n_workers, "--start-method", self.method]

    def is_worker(self, server, process):
        return proc.role(process.pid)[0] == "worker"

    def version(self):
        return "covey " + first_line("git", "-C", harness.ROOT, "describe", "--always", "--dirty")


NGINX_CONF = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
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
        location / {{ return 200 "Hello, World!"; }}
        location = /pid {{ return 200 "$pid"; }}
        location = /slow {{ root {folder}; limit_rate 100; }}
    }}
}}
"""


class Nginx(Peer):
    """It runs no user code: nothing of it blocks at its start, in a request, or starts children."""

    name = "nginx"
    phases = ("idle", "serving")

    def argv(self, server, quick):
        folder = server.folder  # not where it may leave files: what it lacks there it makes
        user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not use `folder`
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=folder, port=server.port, workers=server.n_workers, user=user))
        (folder / "slow").write_text("." * 150)
        return [shutil.which("nginx"), "-p", folder, "-c", conf, "-e", "stderr"]

    def version(self):
        return first_line(shutil.which("nginx"), "-v", errors=True).removeprefix("nginx version: ").replace("/", " ")


class Python(Peer):
    app = ""

    def env(self, server):
        return {"PYTHONPATH": BENCH / "apps"}


class Gunicorn(Python):
    name = "gunicorn"
    keeps_alive = False

    def argv(self, server, quick):
        flags = ["--graceful-timeout", 1] if quick else []
        return ["/usr/bin/gunicorn", "--bind", f"127.0.0.1:{server.port}", "--workers", server.n_workers,
                "--log-level", "warning", *flags, "wsgi_app:app"]

    def version(self):
        return first_line("/usr/bin/gunicorn", "--version").replace(" (version ", " ").rstrip(")")

    def is_there(self):
        return os.access("/usr/bin/gunicorn", os.X_OK)


class Uwsgi(Python):
    """With a master, which dies on TERM instead of reloading, and the app loaded in each worker."""

    name = "uwsgi"
    keeps_alive = False
    reload_pause = 1.5

    def argv(self, server, quick):
        flags = ["--reload-mercy", 1, "--worker-reload-mercy", 1] if quick else []
        return ["/usr/bin/uwsgi_python3", "--http-socket", f"127.0.0.1:{server.port}", "--processes", server.n_workers,
                "--master", "--die-on-term", "--lazy-apps", "--need-app", "--module", "wsgi_app:app", "--disable-logging",
                "--add-header", "Connection: Close", "--master-fifo", server.folder / "fifo", *flags]

    def reload(self, server):
        """The chain reload, one worker after the other."""
        with open(server.folder / "fifo", "wb", buffering=0) as fifo:
            fifo.write(b"c")

    def version(self):
        return "uwsgi " + first_line("/usr/bin/uwsgi_python3", "--version")

    def is_there(self):
        return os.access("/usr/bin/uwsgi_python3", os.X_OK)


class Packaged(Python):
    """From PyPI, in build/peers."""

    def version(self):
        code = f"import importlib.metadata as m; print(m.version({self.name.lower()!r}))"
        return f"{self.name} " + first_line(VENV / "python3", "-c", code)

    def is_there(self):
        return os.access(VENV / self.name.lower(), os.X_OK)


class Sanic(Packaged):
    name = "Sanic"
    quick_env = {"SANIC_GRACEFUL_SHUTDOWN_TIMEOUT": "1"}

    def argv(self, server, quick):
        return [VENV / "sanic", "sanic_app:app", "--host", "127.0.0.1", "--port", server.port,
                "--workers", server.n_workers, "--no-motd", "--no-access-logs"]

    def env(self, server):
        inspector = {"SANIC_INSPECTOR": "True", "SANIC_INSPECTOR_PORT": server.spare_port} if server.reloads else {}
        return super().env(server) | inspector

    def is_worker(self, server, process):
        mark = b"SANIC_WORKER_NAME=Sanic-Server"  # its own children inherit it
        return process.ppid == server.pid and mark in proc.read(f"/proc/{process.pid}/environ")

    def reload(self, server):
        """`sanic inspect reload --zero-downtime`."""
        inspector = http.client.HTTPConnection("127.0.0.1", server.spare_port, timeout=20)
        inspector.request("POST", "/reload", '{"zero_downtime": true}', {"Content-Type": "application/json"})
        inspector.getresponse().read()
        inspector.close()


class Uvicorn(Packaged):
    name = "uvicorn"

    def argv(self, server, quick):
        flags = ["--timeout-graceful-shutdown", 1] if quick else []
        return [VENV / "uvicorn", "--host", "127.0.0.1", "--port", server.port, "--workers", server.n_workers,
                "--log-level", "warning", *flags, "asgi_app:app"]

    def is_worker(self, server, process):
        return process.ppid == server.pid and "resource_tracker" not in proc.cmdline(process.pid)


class Granian(Packaged):
    name = "Granian"

    def argv(self, server, quick):
        flags = ["--workers-kill-timeout", 1] if quick else []
        return [VENV / "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", server.port,
                "--workers", server.n_workers, "--respawn-failed-workers", "--log-level", "warning", *flags, "asgi_app:app"]


def first_line(*command, errors=False, env=None):
    """The first line a command prints; `env` is added to the environment."""
    environment = os.environ | {name: str(value) for name, value in (env or {}).items()}
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=30, env=environment)
    return ((result.stderr if errors else result.stdout).splitlines() or ["unknown"])[0]


ALL = {peer.name: peer for peer in (Covey("spawn"), Covey("fork"), Covey("preload"), Nginx(), Gunicorn(), Uwsgi(),
                                    Sanic(), Uvicorn(), Granian())}


@functools.cache
def versions():
    """{name: name and version} of those that are on this machine."""
    return {name: peer.version() for name, peer in ALL.items() if peer.is_there()}
