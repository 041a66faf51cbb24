"""What is played with faults: servers of every kind, and what happens to each in its life. The steps are in steps.py.

test_no_call_is_left (test_faults.py) says which calls of src/supervise are in none of them.
"""

import os
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
    is_daemon: bool = False
    is_activated: bool = False  # its listener comes from outside, as systemd's
    has_terminal: bool = False
    in_cgroup: bool = False  # it is started in one of its own, in which there is a killed server's
    is_ordinary: bool = False
    is_slow: bool = False  # only what no earlier one comes to is made to fail

    def missing(self):
        """What this machine lacks for it; ""."""
        if self.in_cgroup and not cgroups.can_be_made(cgroups.mount()):
            return "cgroups cannot be made"
        return ""


ORDINARY = ("serve", "status", "stray", "killed", "reload", "descriptors")
LISTEN = ("--listen", "127.0.0.1:{port},unix:{folder}/http.sock", "--pidfile", "{folder}/pid")
PLAYED = (LIBRARIES / "played",)
TRIED = ("guardian", "master", "birth", "worker", "trial")

STORIES = (
    Story("spawn", flags=(*LISTEN, "--start-method", "spawn"), steps=ORDINARY, is_ordinary=True),
    Story("fork", (COVEY, "run", BUILD / "examples" / "testbed.so"), (*LISTEN, "--start-method", "fork"),
          steps=ORDINARY, roles=("guardian", "master", "worker"), is_ordinary=True),
    Story("preload", flags=(*LISTEN, "--start-method", "preload", *NOBODY_AT_ALL),
          steps=("serve", "status", "stray", "killed", "template", "reload", "descriptors")),
    Story("cgroup", flags=(*LISTEN, "--containment", "cgroup", *NOBODY),
          steps=("serve", "stray", "aborted", "reload", "descriptors"), in_cgroup=True),
    Story("foreign", (COVEY, "run", *LISTEN, "--notify", *NOBODY), after=("--", LIBRARIES / "foreign"),
          steps=ORDINARY),
    Story("pidns", PLAYED, (*LISTEN, "--containment", "pidns", "--per-slot-listeners", "--control", "{folder}/control"),
          steps=("serve", "status", "stray", "killed", "scale", "restart", "reload")),
    Story("daemon", flags=(*LISTEN, "--daemon", "--log-file", "{folder}/logs/log", "--access-log"),
          steps=("serve", "reopen", "killed", "descriptors"), is_daemon=True,
          roles=("launcher", "guardian", "master", "birth", "worker")),
    Story("upgrade", PLAYED, (*LISTEN, "--log-file", "{folder}/logs/log", "--access-log-file", "{folder}/logs/access"),
          steps=("serve", "reopen", "upgrade", "killed", "upgrade", "descriptors"), roles=TRIED),
    Story("upgrade preload", PLAYED, (*LISTEN, "--start-method", "preload", "--containment", "cgroup",
                                      "--per-slot-listeners"),
          steps=("serve", "upgrade", "killed", "descriptors"), roles=TRIED, in_cgroup=True),
    Story("activated", steps=("serve", "status", "interrupt"), is_activated=True),
    Story("terminal", ("./testbed",), LISTEN, cwd=BUILD / "examples", steps=("serve", "suspend", "more", "hang_up"), has_terminal=True),
)
