"""The servers whose requests are compared with covey's (shapes.py), each told to do its best, with one worker.

The floor (floor/floor.c) is what everything is measured against. nginx is this machine's; h2o, lighttpd and haproxy are
unpacked from Debian's packages into build/unpacked by `./dev bench`, never installed. Those that only know files serve
files. What a server cannot do, or not without modules of others, it is not asked for.
"""

import os
import shutil

import harness
import peers
import shapes

UNPACKED = harness.ROOT / "build/unpacked"
NO_ECHO = frozenset(shapes.ALL) - {"echo"}


class Rival(peers.Peer):
    """`can`: keys of shapes. Its folder has shapes.FILES."""

    can = frozenset(shapes.ALL)
    program = ""
    version_flag = "-v"

    def argv(self, server, quick):
        for name, content in shapes.FILES.items():
            (server.folder / name).write_bytes(content)
        conf = server.folder / f"{self.name}.conf"
        conf.write_text(self.conf(server))
        return self.command(server, conf)

    def conf(self, server):
        return ""

    def command(self, server, conf):
        raise NotImplementedError

    def env(self, server):
        return {"LD_LIBRARY_PATH": UNPACKED / "usr/lib/x86_64-linux-gnu"}

    def path(self):
        return shutil.which(self.program, path=f"{os.environ['PATH']}:/usr/sbin:{UNPACKED}/usr/sbin:{UNPACKED}/usr/bin")

    def is_there(self):
        return self.path() is not None


class Floor(Rival):
    """Started for one shape: it knows what it will be asked."""

    def __init__(self, shape, defer=False):
        self.name = "floor, deferred accept" if defer else "floor"
        self.shape, self.defer = shape, defer

    def is_worker(self, server, process):
        return True

    def gather(self, server):
        server.wait_workers()  # it listens for all of them before it makes them

    def command(self, server, conf):
        shape = self.shape
        words = [peers.BUILT / "floor", server.port, len(shape.request()), shape.body]
        words += ["close"] * shape.close + ["defer"] * self.defer + ["workers", server.n_workers]
        words += ["echo", len(shape.head())] if shape.echo else []
        return words + (["sendfile", server.folder / "64k.txt"] if shape.body > 4096 else [])


class Covey(peers.Covey):
    """With all that is on by default; `log`: and an access log, into a file next to it; `settings`: of covey or the app."""

    can = frozenset(shapes.ALL)

    def __init__(self, log=False, **settings):
        super().__init__("spawn")
        self.log, self.settings = log, settings
        if log:
            self.name, self.can = "covey, access log", frozenset({"keep-alive"})

    def argv(self, server, quick):
        for name, content in shapes.FILES.items():
            (server.folder / name).write_bytes(content)
        return super().argv(server, quick) + (["--access-log-file", server.folder / "access.log"] if self.log else [])

    def env(self, server):
        return {"BENCH_FILES": server.folder} | {f"COVEY_{name.upper()}": value for name, value in self.settings.items()}


NGINX_CONF = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
    access_log {log};
    types {{ text/plain txt; }}
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100 inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} deferred backlog=4096;
        root {folder};
        location = /hello.txt {{ return 200 "Hello, World!"; }}
        location = /1k.txt {{ return 200 "{kilo}"; }}
        location = /pid {{ return 200 "$pid"; }}
    }}
}}
"""


class Nginx(Rival):
    """Small answers are constants (`return`)."""

    can = NO_ECHO
    program = "nginx"

    def __init__(self, log=False):
        self.log = log
        self.name = "nginx, access log" if log else "nginx"
        if log:
            self.can = frozenset({"keep-alive"})

    def conf(self, server):
        log = f"{server.folder}/access.log combined buffer=64k" if self.log else "off"
        return NGINX_CONF.format(folder=server.folder, port=server.port, workers=server.n_workers, log=log,
                                 user="user root;" if os.geteuid() == 0 else "", kilo="k" * 1024)

    def command(self, server, conf):
        return [self.path(), "-p", server.folder, "-c", conf, "-e", "stderr"]

    def version(self):
        return peers.ALL["nginx"].version()


H2O_CONF = """
num-threads: 1
max-connections: 16384
http1-request-timeout: 600
{user}
pid-file: {folder}/h2o.pid
error-log: /dev/stderr
listen: {{ host: 127.0.0.1, port: {port} }}
hosts:
  default:
    paths:
      /:
        file.dir: {folder}
"""


class H2o(Rival):
    name = "h2o"
    can = NO_ECHO
    program = "h2o"

    def conf(self, server):
        return H2O_CONF.format(folder=server.folder, port=server.port, user="user: root" if os.geteuid() == 0 else "")

    def command(self, server, conf):
        return [self.path(), "-m", "worker", "-c", conf]

    def version(self):
        return peers.first_line(self.path(), "--version", env=self.env(None)).replace("version ", "")


LIGHTTPD_CONF = """
server.bind = "127.0.0.1"
server.port = {port}
server.defer-accept = 1
server.listen-backlog = 4096
server.document-root = "{folder}"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-connections = 8192
server.max-fds = 16384
server.network-backend = "sendfile"
server.stat-cache-engine = "inotify"
mimetype.assign = ( ".txt" => "text/plain" )
"""


class Lighttpd(Rival):
    name = "lighttpd"
    can = NO_ECHO
    program = "lighttpd"

    def conf(self, server):
        return LIGHTTPD_CONF.format(folder=server.folder, port=server.port)

    def command(self, server, conf):
        return [self.path(), "-D", "-f", conf, "-m", UNPACKED / "usr/lib/lighttpd"]

    def version(self):
        return peers.first_line(self.path(), "-v", env=self.env(None)).split(" (")[0].replace("/", " ")


HAPROXY_CONF = """
global
    nbthread 1
    maxconn 8000
    tune.bufsize 98304
defaults
    mode http
    timeout client 600s
    timeout http-keep-alive 600s
    timeout connect 5s
    timeout server 5s
frontend bench
    bind 127.0.0.1:{port} defer-accept backlog 4096
    http-request return status 200 content-type text/plain string "Hello, World!" if {{ path /hello.txt }}
    http-request return status 200 content-type text/plain file {folder}/1k.txt if {{ path /1k.txt }}
    http-request return status 200 content-type text/plain file {folder}/64k.txt if {{ path /64k.txt }}
"""


class Haproxy(Rival):
    """Its answers are constants, that of 64 KiB too, for which its buffers are larger than by default."""

    name = "haproxy"
    can = NO_ECHO
    program = "haproxy"

    def conf(self, server):
        return HAPROXY_CONF.format(folder=server.folder, port=server.port)

    def command(self, server, conf):
        return [self.path(), "-db", "-f", conf]

    def version(self):
        line = peers.first_line(self.path(), "-v", env=self.env(None))
        return " ".join(line.split()[:3]).replace("version ", "").replace("HAProxy", "haproxy")


def of(shape):
    """All that can do it, the floor first."""
    found = [Floor(shape), *([Floor(shape, defer=True)] if shape.close else [])]
    others = (Covey(), Covey(log=True), Nginx(), Nginx(log=True), H2o(), Lighttpd(), Haproxy())
    return found + [rival for rival in others if shape.key in rival.can and rival.is_there()]


def versions():
    return {rival.name: rival.version() for rival in (Covey(), Nginx(), H2o(), Lighttpd(), Haproxy()) if rival.is_there()}
