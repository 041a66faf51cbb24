"""Makes the tables of build/bench/lifecycle.json and http.json, and puts what is generated between its marks in the pages of docs/."""

import statistics

import shapes

MS, SECONDS, PER_SECOND, MB = "ms", "s", "/s", "MB"
SCALE = {MS: 1000, SECONDS: 1, PER_SECOND: 1, MB: 1 / 1024}
DIGITS = {MS: 1, SECONDS: 2, PER_SECOND: 1, MB: 1}
ROWS = [
    ("start 1", "start to first 200, 1 worker", MS),
    ("start 8", "start to first 200, 8 workers", MS),
    ("start 64", "start to first 200, 64 workers", MS),
    ("start 256", "start to first 200, 256 workers", MS),
    ("stop idle", "TERM, 8 idle workers: nothing left", MS),
    ("stop blocked", "TERM, one of 2 workers blocked, as it comes", SECONDS),
    ("stop blocked, 1 s", "the same, told to wait 1 s at most", SECONDS),
    ("successor", "KILL of one of 2 workers: its successor answers", MS),
    ("reloads", "20 reloads under load: failed requests", None),
    ("wake-ups above", "wake-ups of all supervising processes, idle", PER_SECOND),
    ("wake-ups worker", "wake-ups of one idle worker", PER_SECOND),
    ("memory worker", "memory (PSS) of one of 8 workers", MB),
    ("memory above", "memory (PSS) of all supervising processes", MB),
    ("start 1000", "1,000 workers there", SECONDS),
    ("stop 1000", "TERM, 1,000 idle workers: nothing left", SECONDS),
]


def rank(unit, values):
    """What is compared: as much of the median as the table shows."""
    if unit is None:
        return values[0]["failed"]
    return round(statistics.median(values) * SCALE[unit], DIGITS[unit])


def shown(unit, values, best):
    if isinstance(values, str):
        return values
    if unit is None:
        one = values[0]
        text = f"{one['failed']:,} of {one['answered'] + one['failed']:,}"
        return (f"**{text}**" if best else text) + (f", {one['reloads']} reloads only" if one["reloads"] < 20 else "")
    median = f"{rank(unit, values):,.{DIGITS[unit]}f}"
    worst = f" ({max(values) * SCALE[unit]:,.{DIGITS[unit]}f})" if len(values) > 1 else ""
    return (f"**{median}**" if best else median) + worst


def lifecycle(data):
    """The table, the least of each row in bold, and the rows in which that is not covey's."""
    names = list(data["versions"])
    lines = ["| | " + " | ".join(data["versions"][name].split()[0] + name.removeprefix("covey") * name.startswith("covey")
                                 for name in names) + " |",
             "|---|" + "---:|" * len(names)]
    behind = []
    for row, label, unit in ROWS:
        found = data["rows"].get(row, {})
        ranks = {name: rank(unit, values) for name, values in found.items() if not isinstance(values, str)}
        least = min(ranks.values(), default=None)
        cells = [shown(unit, found[name], ranks.get(name) == least) if name in found else "" for name in names]
        lines.append(f"| {label}{', ' + unit if unit else ''} | " + " | ".join(cells) + " |")
        if ranks.get("covey") != least:
            first = min((name for name in ranks if not name.startswith("covey")), key=ranks.get, default="")
            behind.append(f"{label} ({first} {ranks[first]:,}, covey {ranks.get('covey', 'none'):,})"
                          if first and ranks[first] < ranks.get("covey", 0) else "")
    behind = [each for each in behind if each]
    closing = "covey is first, or level with the first, in every row." if not behind else \
        "A peer is ahead of covey in: " + "; ".join(behind) + "."
    return "\n".join([*lines, "", closing, ""])


def goal_said(shape, x):
    """Whether covey's x is within the shape's goal."""
    return f"≤ {shape.goal:.2f}: " + ("reached" if round(x, 2) <= shape.goal else "**not reached**")


ALONE = 0.85  # one of server and client is that busy when both have a CPU for themselves


def disturbed(data):
    """A sentence about rounds in which something else had the CPUs, "" if there are none: they are not to be believed."""
    bad = [f"{name} ({key})" for key, found in data["requests"].items() for name, rounds in found.items()
           if not isinstance(rounds, str)
           and max(min(rounds, key=lambda each: each["cpu_us"])[which] for which in ("server_busy", "client_busy")) < ALONE]
    return f"**Something else ran on the machine**, the figures are not to be relied on: {', '.join(bad)}.\n" if bad else ""


def requests(data):
    """What a request costs each server in each shape; the least of the rounds, x against the floor's least."""
    lines = ["| | server | server CPU, us a request | x | goal | requests/s | server, client busy | p99, us |",
             "|---|---|---:|---:|---|---:|---:|---:|"]
    for key, shape in shapes.ALL.items():
        found = data["requests"][key]
        floor = min(each["cpu_us"] for each in found["floor"])
        for name, rounds in found.items():
            if isinstance(rounds, str):
                lines.append(f"| {shape.title} | {name} | {rounds} | | | | | |")
                continue
            best = min(rounds, key=lambda each: each["cpu_us"])
            x = best["cpu_us"] / floor
            goal = goal_said(shape, x) if name == "covey" else ""
            rate = max(each["rate"] for each in rounds)
            lines.append(f"| {shape.title} | {name} | {best['cpu_us']:.2f} | {x:.2f} | {goal} | {rate:,.0f} | "
                         f"{best['server_busy']:.0%}, {best['client_busy']:.0%} | {best['p99_us']:,.0f} |")
    return "\n".join([*lines, "", disturbed(data)]).rstrip() + "\n"


def replace(page, mark, text):
    """Puts `text` between the lines `<!-- mark -->` and `<!-- end of mark -->` of a page."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    head, found, rest = page.partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page has no place for '{mark}'")
    return head + begin + "\n" + text + "\n" + end + tail
