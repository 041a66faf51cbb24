"""What a request costs when there is more of something: routes, connections, workers.

One worker has CPU 0, and so have all of many; the client has CPU 1. As in throughput.py the rounds go from server to
server, and the least counts.
"""

import random

import goals
import rivals
import shapes
import throughput

ROUNDS, SECONDS = 5, 0.4
FOR_WORKERS = 256  # connections
ASKED = 500  # different routes, at most


def routes_asked(count, parameter):
    """A shape that asks for many of the app's routes, in no order (apps/app.c)."""
    dice = random.Random(count)
    numbers = dice.sample(range(count), min(count, ASKED))
    paths = tuple(f"/param/{number:05}/7" if parameter else f"/exact/{number:05}" for number in numbers)
    return shapes.Shape("routes", "routes", path=paths[0], paths=paths)


def case(axis, count, name):
    """What is measured at one point of a curve."""
    shape = shapes.ALL["keep-alive"]
    if axis == "routes":
        return throughput.Case(rivals.Covey(routes=count), routes_asked(count, name.endswith("a parameter")))
    rival = {"covey": rivals.Covey(), "nginx": rivals.Nginx(), "floor": rivals.Floor(shape)}[name]
    if axis == "connections":
        return throughput.Case(rival, shape, connections=count)
    return throughput.Case(rival, shape, workers=count, connections=FOR_WORKERS)


def measure():
    """{axis: {server: [microseconds of CPU a request at each point]}}; None for one that failed."""
    found = {}
    for curve in goals.CURVES:
        cases = {(name, count): case(curve.axis, count, name) for name in curve.servers for count in curve.points}
        rounds = throughput.take_turns(cases, ROUNDS, SECONDS)
        found[curve.axis] = {name: [cost(rounds[name, count]) for count in curve.points] for name in curve.servers}
    return found


def cost(rounds):
    return None if isinstance(rounds, str) else throughput.least(rounds)
