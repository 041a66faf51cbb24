"""Compiles the C programs that tests need, against the build under test, as a user would."""

import hashlib
import os
import subprocess
from pathlib import Path

from harness import BUILD, sanitized

HEAD = """
#include <covey/covey.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
"""
MAIN = """
int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
"""


def flags():
    env = {**os.environ, "PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled")}
    answer = subprocess.run(["pkg-config", "--cflags", "--libs", "covey"], env=env, text=True,
                            capture_output=True, check=True)
    found = answer.stdout.split() + [f"-Wl,-rpath,{BUILD}:$ORIGIN/.."]  # the latter for public()
    if sanitized():
        found.append("-fsanitize=" + {"address": "address,undefined"}.get(sanitized(), sanitized()))
    return found


def compile_c(folder, body, name="app", shared=False, main=True, head=HEAD, define=(), libraries=()):
    """Compiles `body` (setup() and what it needs) to folder/name; the path. The same source is compiled once."""
    source = head + body + (MAIN if main and not shared else "")
    options = [*(f"-D{item}" for item in define)] + (["-shared", "-fPIC"] if shared else [])
    mark = hashlib.sha256(repr((source, options, str(BUILD))).encode()).hexdigest()[:16]
    path = Path(folder) / mark / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.parent / "app.c"
        text.write_text(source)
        subprocess.run(["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", *options, "-o", path, text, *flags(),
                        "-pthread", *libraries], check=True)
    return path
