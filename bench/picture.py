"""Draws the kill matrix: docs/kill-matrix.svg and the table of docs/kill-matrix.md from docs/kill-matrix.json.

    bench.py --update-docs        does it; tests/tools/test_kill_matrix_docs.py compares

A column a cell of the matrix, a row a server. The colours are told apart by shape, too, and follow the reader's
choice of light or dark.
"""

import json

PHASES = {"booting": "booting", "idle": "idle", "serving": "serving", "child": "with a child"}
TARGETS = {"main": ("INT", "TERM", "KILL"), "group": ("INT", "TERM", "KILL"), "worker": ("INT", "TERM", "KILL", "STOP")}
COLUMNS = [(phase, target, name) for phase in PHASES for target, names in TARGETS.items() for name in names]
SIDE, GAP, TARGET_GAP, PHASE_GAP = 15, 2, 5, 14
LEFT, TOP, SUM = 132, 62, 56
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 9px; fill: #59636e }
.strong { font-weight: 600 }
.good { fill: #2da44e } .flawed { fill: #d4a72c } .bad { fill: #cf222e } .none { fill: none; stroke: #d1d9e0 }
.mark { stroke: #ffffff; stroke-width: 1.6; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .none { stroke: #3d444d }
.good { fill: #2ea043 } .flawed { fill: #bb8009 } .bad { fill: #da3633 }
}
"""


def compact(data):
    """The JSON with one line a cell, as it is kept in docs/."""
    head = {key: value for key, value in data.items() if key != "cells"}
    lines = ",\n".join("  " + json.dumps(cell) for cell in data["cells"])
    return json.dumps(head, indent=1)[:-2] + ',\n "cells": [\n' + lines + "\n ]\n}\n"


def by_server(data):
    """{server: {column: cell}}, those with no measured cell left out."""
    found = {name: {} for name in data["versions"]}
    for cell in data["cells"]:
        if cell["passed"] is not None:
            found[cell["server"]][cell["phase"], cell["target"], cell["signal"]] = cell
    return {name: cells for name, cells in found.items() if cells}


def label(data, name):
    """Peers with their version: what is said of them may not be true of the next."""
    return name if name == "covey" else data["versions"][name]


def kind(cell):
    if cell is None:
        return "none"
    return "bad" if not cell["passed"] else "flawed" if cell["flaws"] else "good"


def score(cells):
    """(passed, passed without a flaw, all)"""
    kinds = [kind(cell) for cell in cells.values()]
    return len(kinds) - kinds.count("bad"), kinds.count("good"), len(kinds)


# The picture

def lefts():
    """The left edge of each column, and the right edge of all."""
    at, found, before = LEFT, [], COLUMNS[0]
    for column in COLUMNS:
        at += PHASE_GAP if column[0] != before[0] else TARGET_GAP if column[1] != before[1] else 0
        found.append(at)
        at, before = at + SIDE + GAP, column
    return found, at


def words(x, y, text, kind="", anchor="start"):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"' + (f' class="{kind}"' if kind else "") + f">{text}</text>"


def square(x, y, name, title=""):
    parts = [f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="2" class="{name}"/>']
    if name == "bad":
        parts.append(f'<path class="mark" d="M{x + 4} {y + 4}l7 7m0 -7l-7 7"/>')
    if name == "flawed":
        parts.append(f'<path class="mark" d="M{x + 4} {y + 7.5}h7"/>')
    return "<g>" + (f"<title>{title}</title>" if title else "") + "".join(parts) + "</g>"


def headings(edges):
    found = []
    for index, (phase, target, name) in enumerate(COLUMNS):
        x = edges[index]
        if index == 0 or COLUMNS[index - 1][0] != phase:
            found.append(words(x, 18, PHASES[phase], "strong"))
        if index == 0 or COLUMNS[index - 1][:2] != (phase, target):
            found.append(words(x, 36, target, "small"))
        found.append(words(x + SIDE / 2, 54, name[0] if name != "STOP" else "S", "small", "middle"))
    return found


def row(y, name, cells, edges, right):
    found = [words(LEFT - 10, y + 12, name, "strong" if name == "covey" else "", "end")]
    for column, x in zip(COLUMNS, edges):
        cell = cells.get(column)
        found.append(square(x, y, kind(cell), " ".join(column) + ": " + said(cell)))
    passed, _, total = score(cells)
    return found + [words(right + SUM - 8, y + 12, f"{passed}/{total}", "strong", "end")]


def legend(y):
    x, found = LEFT, []
    for name, text in (("good", "everything gone"), ("flawed", "gone, but with a loss"), ("bad", "processes left after 12 s"),
                       ("none", "no such situation")):
        found += [square(x, y, name), words(x + SIDE + 6, y + 12, text)]
        x += SIDE + 26 + 6 * len(text)
    return found + [words(LEFT, y + 34, "Signals: I INT, T TERM, K KILL, S a worker is SIGSTOPped, TERM to main. "
                                        "Worker: its fate for 3 s, then TERM to main.", "small")]


def svg(data):
    edges, right = lefts()
    servers = by_server(data)
    parts, y = headings(edges), TOP
    for name, cells in servers.items():
        parts += row(y, label(data, name), cells, edges, right)
        y += SIDE + 6
    parts += legend(y + 12)
    width, height = right + SUM, y + 58
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label="Kill matrix of {", ".join(servers)}">\n<style>{STYLE}</style>\n'
            + "\n".join(parts) + "\n</svg>\n")


# The tables

def said(cell):
    """A cell in words."""
    if cell is None:
        return "-"
    if not cell["passed"]:
        left = ", ".join(f"{cell['left'].count(role)} {role}" for role in sorted(set(cell["left"])))
        return "left: " + left
    seconds = cell["seconds"]
    time = f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
    return time + ("; " + ", ".join(cell["flaws"]) if cell["flaws"] else "")


def table(data):
    """The sums, and every cell."""
    servers = by_server(data)
    names = [label(data, name) for name in servers]
    lines = [f"Machine: {data['machine']}.", "", "| server | everything gone | of these without a loss | slowest of these |",
             "|---|---:|---:|---:|"]
    for name, cells in servers.items():
        passed, good, total = score(cells)
        slowest = max((cell["seconds"] for cell in cells.values() if cell["passed"]), default=0)
        lines.append(f"| {label(data, name)} | {passed} of {total} | {good} | {slowest:.1f} s |")
    lines += ["", "| phase | target | signal | " + " | ".join(names) + " |", "|---|---|---|" + "---|" * len(names)]
    for column in COLUMNS:
        cells = [servers[name].get(column) for name in servers]
        texts = [f"**{said(cell)}**" if kind(cell) == "bad" else said(cell) for cell in cells]
        lines.append("| " + " | ".join([*column, *texts]) + " |")
    failed = [cell for cell in data["cells"] if cell["passed"] is None]
    lines += [""] + [f"Not measured: {cell['server']} {cell['phase']} {cell['target']} {cell['signal']}: {cell['error']}."
                     for cell in failed]
    return "\n".join(lines).rstrip() + "\n"
