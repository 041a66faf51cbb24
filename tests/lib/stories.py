"""What is played with faults: servers of every kind, and what happens to each in its life. The steps are in steps.py.

test_no_call_is_left (test_faults.py) says which calls of src/supervise are in none of them.
"""

import os
import signal
import socket
from dataclasses import dataclass

import cgroups
from faults import LIBRARIES
from harness import BUILD

COVEY = BUILD / "covey"
IS_ROOT = os.geteuid() == 0
NOBODY = ("--user", "nobody") if IS_ROOT else ()
NOBODY_AT_ALL = ("--user", "nobody:nogroup") if IS_ROOT else ()


@dataclass(frozen=True)
class Story:
    """`program` and `flags` become the server; `{folder}` and `{port}` in them are filled in."""
    name: str
    program: tuple = (BUILD / "examples" / "testbed",)
    flags: tuple = ()
    after: tuple = ()  # the flags: what comes last
    steps: tuple = ()
    roles: tuple = ("guardian", "master", "birth", "worker")
    cwd: str = None
    env: tuple = ()  # pairs
    shell: str = ""  # what a shell does that becomes the server, which is "$@"
    uid: int = 0  # who starts it, where we are root
    may_end_with: tuple = ()  # exit codes besides those of a server that is told to end
    is_daemon: bool = False
    is_activated: bool = False  # its listener comes from outside, as systemd's
    is_contested: bool = False  # others hold locks on its folders when it starts
    has_terminal: bool = False
    in_cgroup: bool = False  # it is started in one of its own, in which there is a killed server's
    is_ordinary: bool = False
    is_brief: bool = False  # only what no earlier one comes to is made to fail
    is_slow: bool = False  # FAULTS=all has it

    def missing(self):
        """What this machine lacks for it; ""."""
        if self.in_cgroup and not cgroups.can_be_made(cgroups.mount()):
            return "cgroups cannot be made"
        if any("[::1]" in str(flag) for flag in self.flags) and not _has_ipv6():
            return "there is no IPv6"
        if self.uid and any(path.stat().st_mode & 1 == 0 for path in [BUILD, *BUILD.parents]):
            return "the build is not open to other users"
        return ""


def _has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


ORDINARY = ("serve", "status", "stray", "killed", "reload", "descriptors")
LISTEN = ("--listen", "127.0.0.1:{port},unix:{folder}/http.sock", "--pidfile", "{folder}/pid")
LISTEN_6 = ("--listen", "127.0.0.1:{port},[::1]:{port},unix:{folder}/http.sock", "--pidfile", "{folder}/pid")
PLAYED = (LIBRARIES / "played",)
FOREIGN = ("--", LIBRARIES / "foreign")
TRIED = ("guardian", "master", "birth", "worker", "trial")
KILLED = (128 + signal.SIGKILL,)

STORIES = (
    Story("spawn", flags=(*LISTEN, "--start-method", "spawn"), steps=ORDINARY, is_ordinary=True),
    Story("fork", (COVEY, "run", BUILD / "examples" / "testbed.so"), (*LISTEN, "--start-method", "fork"),
          steps=ORDINARY, roles=("guardian", "master", "worker"), is_ordinary=True),
    Story("preload", flags=(*LISTEN, "--start-method", "preload", *NOBODY_AT_ALL),
          steps=("serve", "status", "stray", "killed", "template", "reload", "descriptors")),
    Story("cgroup", flags=(*LISTEN, "--containment", "cgroup", *NOBODY),
          steps=("serve", "stray", "nest", "aborted", "reload", "descriptors"), in_cgroup=True),
    Story("foreign", (COVEY, "run", *LISTEN, "--notify", *NOBODY), after=FOREIGN, steps=ORDINARY),
    Story("pidns", PLAYED, (*LISTEN_6, "--containment", "pidns", "--per-slot-listeners", "--control", "{folder}/control"),
          steps=("serve", "status", "stray", "killed", "scale", "restart", "reload")),
    Story("daemon", flags=(*LISTEN, "--daemon", "--log-file", "{folder}/logs/log", "--access-log"),
          steps=("serve", "reopen", "killed", "descriptors"), is_daemon=True,
          roles=("launcher", "guardian", "master", "birth", "worker")),
    Story("upgrade", PLAYED, (*LISTEN, "--log-file", "{folder}/logs/log", "--access-log-file", "{folder}/logs/access"),
          steps=("serve", "reopen", "upgrade", "killed", "upgrade", "descriptors"), roles=TRIED),
    Story("upgrade preload", PLAYED, (*LISTEN, "--start-method", "preload", "--containment", "cgroup",
                                      "--per-slot-listeners"),
          steps=("serve", "upgrade", "killed", "descriptors"), roles=TRIED, in_cgroup=True),
    Story("activated", steps=("serve", "status", "interrupt"), is_activated=True,
          shell='exec 3<&0 0</dev/null; LISTEN_PID=$$ exec "$@"'),
    Story("terminal", ("./testbed",), LISTEN, cwd=BUILD / "examples", steps=("serve", "suspend", "more", "hang_up"),
          may_end_with=KILLED, has_terminal=True),
    Story("user namespace", flags=(*LISTEN, "--containment", "pidns"), steps=("serve", "stray", "killed"),
          uid=54321 if IS_ROOT else 0),
    Story("recycling", flags=(*LISTEN, "--max-requests", "2"), steps=("serve", "serve", "serve"), is_brief=True),
    Story("silent foreign", (COVEY, "run", *LISTEN, "--ready-after", "20ms"), after=FOREIGN,
          steps=("serve", "killed", "reload"), is_brief=True),
    Story("inspected", flags=(*LISTEN, "--inspect", "unix:{folder}/logs/inspector"), steps=("serve", "inspect"),
          is_brief=True),
    Story("two upgrades", PLAYED, LISTEN, steps=("serve", "upgrade_twice"), roles=TRIED, is_brief=True),
    Story("interrupted launcher", flags=(*LISTEN, "--daemon"), env=(("COVEY_BOOT_DELAY", "60"),),
          steps=("interrupt_launcher",), roles=("launcher", "guardian"), may_end_with=(-signal.SIGINT,), is_daemon=True,
          is_brief=True),
    Story("by descriptor", flags=LISTEN, shell='program=$1; shift; exec 9<"$program"; exec /proc/self/fd/9 "$@"',
          steps=("serve", "killed"), is_contested=True, is_brief=True),
    Story("children unlisted", flags=LISTEN, env=(("FAULTS_NO_CHILDREN", "1"),), steps=("serve", "stray", "killed"),
          is_brief=True),
    Story("late worker", flags=LISTEN, env=(("FAULTS_LATE", "1"),), steps=("lose_master",), may_end_with=KILLED,
          is_brief=True),
    Story("stopped master", flags=(*LISTEN, "--hang-timeout", "200ms"), steps=("serve", "stop_master"),
          may_end_with=KILLED, is_brief=True),
    Story("stopped template", PLAYED, (*LISTEN, "--start-method", "preload", "--start-timeout", "300ms"),
          steps=("serve", "stop_template", "killed"), is_brief=True, is_slow=True),
)
