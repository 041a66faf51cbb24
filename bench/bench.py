"""What `./dev bench` runs: prints tables, in markdown, for docs/benchmarks.md.

    bench.py [http|lifecycle|bounds]
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time

import bounds
import lifecycle
import throughput

PARTS = {"http": throughput.report, "lifecycle": lifecycle.report, "bounds": bounds.report}


def first_line(*command, errors=False):
    """The first line a command prints."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return ((result.stderr if errors else result.stdout).splitlines() or ["unknown"])[0]


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    nginx = first_line(shutil.which("nginx"), "-v", errors=True).removeprefix("nginx version: ")
    return [
        f"{len(os.sched_getaffinity(0))} x {model[1] if model else platform.machine()}",
        f"Linux {platform.release()}, {release}",
        f"covey {first_line('git', 'describe', '--always', '--dirty')}, {first_line('cc', '--version')}",
        f"{nginx}, {first_line('wrk', '-v').split(' [')[0]}",
        time.strftime("%Y-%m-%d"),
    ]


def main():
    wanted = sys.argv[1:] or list(PARTS)
    if not set(wanted) <= PARTS.keys():
        sys.exit(f"bench: choose from {', '.join(PARTS)}")
    print("Machine: " + "; ".join(machine()) + ".\n", flush=True)
    for name in wanted:
        PARTS[name]()


main()
