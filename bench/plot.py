"""Draws what was measured, as SVG: bars of what a request costs each server, and curves of what it costs when there is more
of something.

Pure: from build/bench/http.json and engine.json to docs/requests.svg and docs/scaling.svg. Everything is named where it
is drawn and told apart by shape, too; the colours follow the reader's choice of light or dark.
"""

import math

import goals
import shapes
from picture import words

STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 9px; fill: #59636e }
.strong { font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.ours { fill: #0969da } .floor { fill: #8c959f } .others { fill: #b6c0ca }
.goal { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 3 2 }
.line0 { fill: none; stroke: #0969da; stroke-width: 2 } .dot0 { fill: #0969da }
.line1 { fill: none; stroke: #8c959f; stroke-width: 2; stroke-dasharray: 5 3 } .dot1 { fill: #8c959f }
.line2 { fill: none; stroke: #9a6700; stroke-width: 1.5; stroke-dasharray: 1 3 } .dot2 { fill: #9a6700 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
.ours { fill: #388bfd } .floor { fill: #6e7681 } .others { fill: #484f58 }
.goal { stroke: #f85149 } .line0 { stroke: #388bfd } .dot0 { fill: #388bfd } .line1 { stroke: #9198a1 } .dot1 { fill: #9198a1 }
.line2 { stroke: #d29922 } .dot2 { fill: #d29922 }
}
"""


def picture(width, height, label, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label="{label}">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n")


# Bars

NAMES, BARS, NUMBERS, ROW, HEAD, PANEL_GAP = 132, 170, 88, 17, 24, 22


def bar_kind(name):
    return "ours" if name.startswith("covey") else "floor" if name.startswith("floor") else "others"


def bars_of(shape, found, x, y):
    """The panel of one shape: {server: rounds}, those that failed left out."""
    costs = {name: goals.least(rounds) for name, rounds in found.items() if not isinstance(rounds, str)}
    scale = BARS / max(costs.values())
    parts = [words(x, y + 13, shape.title, "strong")]
    at = x + NAMES
    for number, (name, cost) in enumerate(costs.items()):
        top = y + HEAD + number * ROW
        parts.append(words(at - 6, top + 11, name, "strong" if name == "covey" else "", "end"))
        parts.append(f'<rect x="{at}" y="{top}" width="{cost * scale:.1f}" height="{ROW - 4}" class="{bar_kind(name)}"/>')
        right = at + cost * scale
        if name == "covey":
            goal = at + shape.goal * costs["floor"] * scale
            parts.append(f'<path class="goal" d="M{goal:.1f} {top - 2}v{ROW}"/>')
            right = max(right, goal)
        parts.append(words(f"{right + 5:.1f}", top + 11, f"{cost:.2f} ({cost / costs['floor']:.2f})", "small"))
    return parts


def bars(data):
    """docs/requests.svg of http.json."""
    panel, parts, y = NAMES + BARS + NUMBERS, [], 4
    pairs = list(shapes.ALL.values())
    for left, right in zip(pairs[::2], pairs[1::2]):
        for shape, x in ((left, 0), (right, panel + PANEL_GAP)):
            parts += bars_of(shape, data["requests"][shape.key], x, y)
        y += HEAD + ROW * max(len(data["requests"][shape.key]) for shape in (left, right)) + PANEL_GAP
    parts.append(words(NAMES, y + 4, "Server CPU of a request, microseconds (against the floor's). Dashed: covey's goal. "
                       "Each panel has a scale of its own.", "small"))
    return picture(2 * panel + PANEL_GAP, y + 14, "What a request costs each server", parts)


# Curves

WIDE, HIGH, MARGIN, ABOVE = 208, 150, 44, 52


def step(top):
    """The distance of lines that are easy to read, three to six of them up to `top`."""
    unit = 10.0 ** math.floor(math.log10(top))
    return next(size * unit for size in (0.2, 0.5, 1, 2) if top / (size * unit) <= 6)


def grid(curve, top, x, y):
    parts, size = [], step(top)
    for number in range(int(top / size) + 1):
        level = y + HIGH - number * size / top * HIGH
        parts.append(f'<path class="grid" d="M{x} {level:.1f}h{WIDE}"/>')
        parts.append(words(x - 6, f"{level + 3:.1f}", f"{number * size:g}", "small", "end"))
    for count in curve.points:
        parts.append(words(f"{place(curve, count, x):.1f}", y + HIGH + 14, f"{count:,}", "small", "middle"))
    return parts


def place(curve, count, x):
    """Where a number of things stands: equal factors, equal distances; room for the marks at both ends."""
    first, last = math.log(curve.points[0]), math.log(curve.points[-1])
    return x + 10 + (math.log(count) - first) / (last - first) * (WIDE - 20)


def mark(number, x, y):
    if number == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="dot0"/>'
    if number == 1:
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" class="dot1"/>'
    return f'<path d="M{x:.1f} {y - 4:.1f}l4 7h-8z" class="dot2"/>'


def curve_of(curve, found, x, y):
    """The panel of one curve: {server: costs}."""
    parts = [words(x, y + 12, f"more {curve.axis}", "strong")]
    for number, name in enumerate(curve.servers):
        right = x + number * (WIDE + 16) // len(curve.servers)
        parts += [mark(number, right + 4, y + 27), words(right + 13, y + 31, name, "small")]
    top = 1.15 * max((cost for costs in found.values() for cost in costs if cost), default=1)
    y += ABOVE
    parts += grid(curve, top, x, y)
    for number, name in reversed(list(enumerate(curve.servers))):
        points = [(place(curve, count, x), y + HIGH - cost / top * HIGH)
                  for count, cost in zip(curve.points, found[name]) if cost]
        parts.append(f'<polyline class="line{number}" points="' + " ".join(f"{px:.1f},{py:.1f}" for px, py in points) + '"/>')
        parts += [mark(number, *point) for point in points]
    return parts


def curves(data):
    """docs/scaling.svg of engine.json's "scaling"."""
    panel, parts = MARGIN + WIDE, []
    for number, curve in enumerate(goals.CURVES):
        parts += curve_of(curve, data[curve.axis], MARGIN + number * panel, 4)
    height = 4 + ABOVE + HIGH + 44
    parts.append(words(MARGIN, height - 10, "Server CPU of a request, microseconds.", "small"))
    return picture(3 * panel + 16, height, "What a request costs with more routes, connections or workers", parts)
