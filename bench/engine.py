"""Measures the figures of the engine that have goals (goals.py), other than the CPU of a request (throughput.py).

Where it says something, the floor or nginx is measured beside covey in the same run. A figure that could not be
measured has a sentence in place of its values.
"""

import contextlib
import itertools
import signal
import sys

import balance
import calls
import instructions
import lifecycle
import peers
import resting
import rivals
import scaling
import servers
import shapes

ROUNDS = 7
PAIR = ("covey", "nginx")


def attempt(rows, figures, name, measure, *what):
    """Puts what `measure` returns, {figure: value}, or what went wrong, into the rows of the figures."""
    try:
        values = measure(*what)
    except lifecycle.FAILURES as error:
        values = dict.fromkeys(figures, lifecycle.reason(error))
    for figure, value in values.items():
        rows.put(figure, name, value)


def count_calls(rival, shape):
    found = calls.count(rival, shape)
    return {f"calls {shape.key}": found["all"], f"calls {shape.key}, which": calls.said(found)}


def system_calls(rows):
    for shape in map(shapes.ALL.get, ("keep-alive", "pipelined", "close", "echo", "file")):
        deferred = [rivals.Floor(shape, defer=True)] if shape.close else []
        for rival in (rivals.Floor(shape), *deferred, rivals.Covey(), rivals.Nginx()):
            if shape.key in rival.can:
                attempt(rows, [f"calls {shape.key}"], rival.name, count_calls, rival, shape)


def count_instructions(peer, request, batch, figure):
    found, own = instructions.per_request(peer, request, batch)
    return {figure: found, f"{figure}, own": {name: own[name] for name in own if own[name] >= 1}}


def user_instructions(rows):
    for (request, what), batch in itertools.product(((instructions.SMALL, ""), (instructions.USUAL, ", four fields")),
                                                    (1, shapes.DEPTH)):
        figure = f"instructions {batch}{what}"
        for peer in (instructions.Sized(request), instructions.Hello(), instructions.Nginx()):
            attempt(rows, [figure], peer.name, count_instructions, peer, request, batch, figure)


def moments(peer):
    """The start, a SIGKILL of the only worker, and the stop, in seconds."""
    with servers.Server(peer) as server:
        found = {"start": server.wait_first_answer()}
        lifecycle.settled(server)
        before = server.workers()
        killed = server.send(before[0], signal.SIGKILL)
        found["kill"] = server.wait_successor(before) - killed
        lifecycle.settled(server)
        return found | {"stop": lifecycle.gone(server, server.send(server.pid, signal.SIGTERM))}


def spread(rows):
    for _ in range(ROUNDS):
        attempt(rows, ["balance"], "covey", lambda: {"balance": balance.most_to_least(False)})
        attempt(rows, ["balance at once"], "covey", lambda: {"balance at once": balance.most_to_least(True)})
    attempt(rows, ["rate"], "covey", lambda: {"rate": balance.rate_of_shared()})


def measure():
    """{"figures": {figure: {server: values}}, "scaling": see scaling.py}"""
    rows = lifecycle.Rows()
    with contextlib.ExitStack() as stack:
        idle = {name: stack.enter_context(resting.Idle(peers.ALL[name])) for name in PAIR}
        user_instructions(rows)
        system_calls(rows)
        for name, idle_server in idle.items():
            attempt(rows, ["wake-ups"], name, idle_server.wake_ups)
    for rival in (rivals.Covey(), rivals.Nginx()):
        attempt(rows, ["memory idle", "memory kept"], rival.name, resting.idle_connections, rival)
    for name in PAIR:
        attempt(rows, ["pss worker"], name, resting.memory_of_many, peers.ALL[name])
    attempt(rows, ["route memory"], "covey", resting.route_memory)
    for _, name in itertools.product(range(ROUNDS), PAIR):
        attempt(rows, ["start", "kill", "stop"], name, moments, peers.ALL[name])
    spread(rows)
    found = scaling.measure()
    print(f"  {found}", file=sys.stderr)
    return {"figures": rows.found, "scaling": found}
