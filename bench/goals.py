"""The figures that have goals, and whether they are reached: the table of what engine.py and throughput.py measured.

Pure: from what is in build/bench/engine.json and http.json to markdown.
"""

import dataclasses
import statistics

import shapes

COUNT, MS, BYTES, KB, TIMES = "", " ms", " B", " KB", " x"
SCALE = {COUNT: 1, MS: 1000, BYTES: 1, KB: 1, TIMES: 1}
OTHERS = ("floor", "nginx")
FAILED = "see what the run has said"


@dataclasses.dataclass(frozen=True)
class Goal:
    """`key`: the figure's in engine.json. What is judged is the median of the rounds."""

    key: str
    title: str
    limit: float
    unit: str = COUNT
    digits: int = 0
    at_least: bool = False

    def number(self, values):
        return statistics.median(values) * SCALE[self.unit]

    def shown(self, number):
        return f"{number:,.{self.digits}f}{self.unit}"

    def wanted(self):
        return ("≥ " if self.at_least else "≤ ") + self.shown(self.limit)

    def verdict(self, number):
        """What is judged is what is shown."""
        rounded = round(number, self.digits)
        return "reached" if (rounded >= self.limit if self.at_least else rounded <= self.limit) else "**not reached**"


CPU = [Goal(shape.key, f"CPU per request: {shape.title}", shape.goal, TIMES, 2) for shape in shapes.ALL.values()]
CPU.insert(2, Goal("rate", f"requests a second: {shapes.ALL['pipelined'].title}", 0.9, TIMES, 2, at_least=True))
ENGINE = [
    Goal("calls keep-alive", "system calls per request", 2.1, digits=2),
    Goal("calls pipelined", f"the same, {shapes.ALL['pipelined'].title}", 2 / shapes.DEPTH + 0.05, digits=3),
    Goal("calls close", "the same, a connection per request", 4.1, digits=2),
    Goal("instructions 1", "user instructions per request", 3500),
    Goal(f"instructions {shapes.DEPTH}", f"the same, in batches of {shapes.DEPTH}", 2500),
    Goal("memory idle", "user memory of an idle connection", 256, BYTES),
    Goal("memory kept", "kept after 10,000 have closed", 1e6, BYTES),
    Goal("start", "exec to first 200, 1 worker", 8, MS, 1),
    Goal("stop", "TERM, idle: nothing left", 5, MS, 1),
    Goal("kill", "KILL of the only worker: next 200", 5, MS, 1),
    Goal("wake-ups", "wake-ups of a server with 8 idle workers, a second", 0, digits=1),
    Goal("pss worker", "memory (PSS) of one of 64 workers", 400, KB),
    Goal("route memory", "memory of a route, one of 200,000", 1024, BYTES),
    Goal("balance", "8 workers, 256 connections one by one: most to least loaded", 1.5, TIMES, 2),
    Goal("balance at once", "the same, all at once", 1.5, TIMES, 2),
    Goal("rate", "8 workers, 256 connections: requests a second, one listener to one each", 0.95, TIMES, 2, at_least=True),
]
FLAT = 1.10  # what "flat" is taken for


@dataclasses.dataclass(frozen=True)
class Curve:
    """What grows, and whose costs are drawn over it (scaling.py)."""

    axis: str
    points: tuple
    servers: tuple

    def label(self, count):
        return f"{count:,} {self.axis if count > 1 else self.axis.removesuffix('s')}"


CURVES = (
    Curve("routes", (10, 1000, 100000), ("covey, no parameter", "covey, a parameter")),
    Curve("connections", (10, 100, 1000, 10000), ("covey", "floor")),
    Curve("workers", (1, 4, 16, 64), ("covey", "floor", "nginx")),
)


def line(goal, values, others):
    """A row of the table; `values` of covey: rounds, or a sentence."""
    if isinstance(values, str):
        cells = ["", f"**not measured**: {values}"]
    else:
        number = goal.number(values)
        cells = [goal.shown(number), goal.verdict(number)]
    cells += [goal.shown(goal.number(each)) if each and not isinstance(each, str) else "" for each in others]
    return f"| {goal.title} | {goal.wanted()} | " + " | ".join(cells) + " |"


def least(rounds):
    return min(each["cpu_us"] for each in rounds)


def most(rounds):
    return max(each["rate"] for each in rounds)


def against_floor(goal, requests):
    """{server: [its figure]} of a goal of CPU."""
    of, key = (most, "pipelined") if goal.key == "rate" else (least, goal.key)
    found = requests[key]
    return {name: rounds if isinstance(rounds, str) else [of(rounds) / of(found["floor"])] for name, rounds in found.items()}


def growth(data, axis, name):
    """The cost at the end of a curve against that at its beginning; None if one of them failed."""
    costs = data[axis][name]
    return costs[-1] / costs[0] if costs[0] and costs[-1] else None


def growths(data):
    """(goal, covey's growth, the others' growths) of each curve of scaling.py. More connections or processes cost the
    kernel more, too: there covey's growth counts against the floor's."""
    for curve in CURVES:
        title = f"CPU per request: {curve.points[-1]:,} {curve.axis} to {curve.points[0]:,}"
        grown = {name: growth(data, curve.axis, name) for name in curve.servers}
        for name in (each for each in curve.servers if each.startswith("covey")):
            what, base = name.removeprefix("covey"), 1
            if "floor" in grown:
                what, base = ", against the floor's", grown["floor"]
            yield (Goal("", title + what, FLAT, TIMES, 2), [grown[name] / base] if grown[name] and base else FAILED,
                   [[grown[other] / base] if grown.get(other) else None for other in OTHERS])


def figures(engine, http):
    """The table; `http` may be None: then nothing is known of CPU."""
    lines = ["| figure | goal | covey | | floor | nginx |", "|---|---|---:|---|---:|---:|"]
    for goal in CPU:
        found = against_floor(goal, http["requests"]) if http else {"covey": "`./dev bench http`"}
        lines.append(line(goal, found.get("covey", FAILED), [found.get(name) for name in OTHERS]))
    for goal in ENGINE:
        found = engine["figures"].get(goal.key, {})
        lines.append(line(goal, found.get("covey", FAILED), [found.get(name) for name in OTHERS]))
    lines += [line(*each) for each in growths(engine["scaling"])]
    return "\n".join(lines) + "\n"


def table(head, rows):
    """`head`: the cells of the first line; numbers stand on the right of their column."""
    sides = ["---" if any(isinstance(row[column], str) and row[column] for row in rows) else "---:"
             for column in range(len(head))]
    text = [[f"{cell:,.0f}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *text)]
    return "\n".join([lines[0], "|" + "|".join(sides) + "|", *lines[1:]]) + "\n"


def first(found, figure, name):
    """What was measured of a server once, "" if it was not."""
    values = found.get(figure, {}).get(name, "")
    return "" if isinstance(values, str) else values[0]


OWN = 12  # functions in the table


def own_instructions(found):
    """The functions that a request of a batch spends most in: (name, one at a time, in a batch)."""
    single, batch = (first(found, f"instructions {depth}, own", "covey") or {} for depth in (1, shapes.DEPTH))
    names = sorted(batch, key=batch.get, reverse=True)[:OWN]
    return [(f"`{name}`", single.get(name, 0.0), batch[name]) for name in names]


def details(engine):
    """What the numbers of calls, instructions and kilobytes are made of."""
    found = engine["figures"]
    calls = [(shape.title, name, text) for shape in shapes.ALL.values()
             for name, text in found.get(f"calls {shape.key}, which", {}).items()]
    fields = [(f"{what}, {fields}", *(first(found, f"instructions {depth}{key}", name) for name in ("covey", *OTHERS)))
              for depth, what in ((1, "one at a time"), (shapes.DEPTH, f"in batches of {shapes.DEPTH}"))
              for key, fields in (("", "one field"), (", four fields", "four fields"))]
    memory = list(found.get("pss worker, which", {}).items())
    return "\n".join([
        table(("", "server", "system calls of a request"), calls),
        table(("user instructions of a request", "covey", *OTHERS), fields),
        table(("covey's functions", "one at a time", f"in batches of {shapes.DEPTH}"), own_instructions(found)),
        table(("server", "KB of one of 64 workers, by what is mapped"), memory)])


def scaling_table(data):
    """What is drawn in docs/scaling.svg."""
    lines = []
    for curve in CURVES:
        lines += ["| CPU of a request, us | " + " | ".join(curve.label(count) for count in curve.points) + " |",
                  "|---|" + "---:|" * len(curve.points)]
        for name in curve.servers:
            cells = [f"{cost:.2f}" if cost else "failed" for cost in data[curve.axis][name]]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)
