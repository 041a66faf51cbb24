"""What `./dev bench` runs: prints tables, in markdown, for docs/benchmarks.md and docs/kill-matrix.md.

    bench.py [http] [lifecycle] [bounds] [killmatrix]    measure, all four without a word; tables to standard output
    bench.py --update-docs                               put what was measured last into the pages

`lifecycle` (a quarter of an hour) and `killmatrix` (ten minutes) write build/bench/NAME.json as well; it is from these
that --update-docs makes the tables of the two pages, docs/kill-matrix.json and docs/kill-matrix.svg. The tables of
`http` and `bounds` are copied by hand. Progress is told on standard error.
"""

import json
import os
import pathlib
import platform
import re
import sys
import time

import servers  # first: it makes tests/lib known

import bounds  # noqa: E402
import killmatrix  # noqa: E402
import lifecycle  # noqa: E402
import peers  # noqa: E402
import picture  # noqa: E402
import tables  # noqa: E402
import throughput  # noqa: E402

DOCS = servers.ROOT / "docs"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    versions = [version for name, version in peers.versions().items() if not name.startswith("covey (")]
    return "; ".join([
        f"{len(os.sched_getaffinity(0))} x {model[1] if model else platform.machine()}",
        f"Linux {platform.release()}, {release}", peers.first_line("cc", "--version"),
        ", ".join(versions), peers.first_line("wrk", "-v").split(" [")[0], time.strftime("%Y-%m-%d")])


def stored(name):
    return peers.WORK / f"{name}.json"


def store(name, key, found):
    data = {"machine": machine(), "versions": peers.versions(), key: found}
    stored(name).write_text(json.dumps(data, indent=1) + "\n")
    return data


def report_lifecycle():
    print("### What else a server does\n")
    print(tables.lifecycle(store("lifecycle", "rows", lifecycle.measure())))


def report_killmatrix():
    print("### Kill matrix\n")
    print(picture.table(store("killmatrix", "cells", killmatrix.measure())))


def update(page, mark, text):
    page.write_text(tables.replace(page.read_text(), mark, text))


def update_docs():
    if stored("lifecycle").exists():
        data = json.loads(stored("lifecycle").read_text())
        text = f"Machine: {data['machine']}.\n\n{tables.lifecycle(data)}"
        update(DOCS / "benchmarks.md", "lifecycle", text)
    if stored("killmatrix").exists():
        text = picture.compact(json.loads(stored("killmatrix").read_text()))
        (DOCS / "kill-matrix.json").write_text(text)
        (DOCS / "kill-matrix.svg").write_text(picture.svg(json.loads(text)))
        update(DOCS / "kill-matrix.md", "peers", picture.table(json.loads(text)))


PARTS = {"http": throughput.report, "lifecycle": report_lifecycle, "bounds": bounds.report, "killmatrix": report_killmatrix}


def main():
    if sys.argv[1:] == ["--update-docs"]:
        update_docs()
        return
    wanted = sys.argv[1:] or list(PARTS)
    if not set(wanted) <= PARTS.keys():
        sys.exit(f"bench: choose from {', '.join(PARTS)}, or --update-docs")
    print(f"Machine: {machine()}.\n", flush=True)
    for name in wanted:
        PARTS[name]()


if __name__ == "__main__":
    main()
