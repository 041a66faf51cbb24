"""What `./dev bench` runs: prints tables, in markdown, for docs/benchmarks.md and docs/kill-matrix.md.

    bench.py [http] [engine] [lifecycle] [bounds] [killmatrix]    measure, all without a word; tables to standard output
    bench.py http --quick                                         the same in a minute and a half, with more noise
    bench.py --update-docs                                        put what was measured last into the pages

All but `bounds` write build/bench/NAME.json as well (lifecycle in a quarter of an hour, killmatrix in ten minutes, http in
seven, engine in four); it is from these that --update-docs makes the tables of the pages, docs/kill-matrix.json and the
pictures docs/*.svg. The table of `bounds` is copied by hand. Progress is told on standard error.
"""

import json
import os
import pathlib
import platform
import re
import resource
import sys
import time

import servers  # first: it makes tests/lib known

import bounds  # noqa: E402
import engine  # noqa: E402
import goals  # noqa: E402
import killmatrix  # noqa: E402
import lifecycle  # noqa: E402
import peers  # noqa: E402
import picture  # noqa: E402
import plot  # noqa: E402
import rivals  # noqa: E402
import tables  # noqa: E402
import throughput  # noqa: E402

DOCS = servers.ROOT / "docs"


def machine(versions):
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    versions = [version for name, version in versions.items() if not name.startswith("covey (")]
    return "; ".join([
        f"{len(os.sched_getaffinity(0))} x {model[1] if model else platform.machine()}",
        f"Linux {platform.release()}, {release}", peers.first_line("cc", "--version"),
        ", ".join(versions), time.strftime("%Y-%m-%d")])


def stored(name):
    return peers.WORK / f"{name}.json"


def store(name, key, found, versions=None):
    versions = versions or peers.versions()
    data = {"machine": machine(versions), "versions": versions, key: found}
    stored(name).write_text(json.dumps(data, indent=1) + "\n")
    return data


def report_http(quick=False):
    print("### Requests\n")
    found = throughput.measure(quick)
    print(tables.requests({"requests": found} if quick else store("http", "requests", found, rivals.versions())))


def loaded(name):
    """What was measured last, None if it never was."""
    return json.loads(stored(name).read_text()) if stored(name).exists() else None


def report_engine():
    print("### Figures against goals\n")
    found = store("engine", "engine", engine.measure(), rivals.versions())["engine"]
    print(goals.figures(found, loaded("http")), goals.details(found), goals.scaling_table(found["scaling"]), sep="\n")


def report_lifecycle():
    print("### What else a server does\n")
    print(tables.lifecycle(store("lifecycle", "rows", lifecycle.measure())))


def report_killmatrix():
    print("### Kill matrix\n")
    print(picture.table(store("killmatrix", "cells", killmatrix.measure())))


def update(page, mark, text):
    page.write_text(tables.replace(page.read_text(), mark, text))


def update_docs():
    page, http, figures, life, cells = DOCS / "benchmarks.md", *map(loaded, ("http", "engine", "lifecycle", "killmatrix"))
    if http:
        update(page, "requests", f"Machine: {http['machine']}.\n\n{tables.requests(http)}")
        (DOCS / "requests.svg").write_text(plot.bars(http))
    if figures:
        found = figures["engine"]
        update(page, "figures", f"Machine: {figures['machine']}.\n\n{goals.figures(found, http)}")
        update(page, "details", goals.details(found))
        update(page, "scaling", goals.scaling_table(found["scaling"]))
        (DOCS / "scaling.svg").write_text(plot.curves(found["scaling"]))
    if life:
        update(page, "lifecycle", f"Machine: {life['machine']}.\n\n{tables.lifecycle(life)}")
    if cells:
        text = picture.compact(cells)
        (DOCS / "kill-matrix.json").write_text(text)
        (DOCS / "kill-matrix.svg").write_text(picture.svg(json.loads(text)))
        update(DOCS / "kill-matrix.md", "peers", picture.table(json.loads(text)))


PARTS = {"http": report_http, "engine": report_engine, "lifecycle": report_lifecycle, "bounds": bounds.report,
         "killmatrix": report_killmatrix}


def raise_limit():
    """10,000 connections are descriptors of a server, too, and not every one raises the limit by itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    if sys.argv[1:] == ["--update-docs"]:
        update_docs()
        return
    raise_limit()
    if sys.argv[1:] == ["http", "--quick"]:
        report_http(quick=True)
        return
    wanted = sys.argv[1:] or list(PARTS)
    if not set(wanted) <= PARTS.keys():
        sys.exit(f"bench: choose from {', '.join(PARTS)}, or --update-docs")
    print(f"Machine: {machine(peers.versions())}.\n", flush=True)
    for name in wanted:
        PARTS[name]()


if __name__ == "__main__":
    main()
