"""What a server takes while nobody asks: memory for idle connections and for many workers, and wake-ups."""

import collections
import re
import time

import lifecycle
import proc
import rivals
import servers
import shapes
import traffic

IDLE = 10000
FEW = 64
AFTER_CLOSE = 1.0


def memory(server):
    """Bytes of user memory of all processes: PSS, so without the kernel's (sockets, descriptors)."""
    return 1024 * lifecycle.pss([process.pid for process in server.tree() if not process.zombie])


def sockets(server):
    return sum(name.startswith("socket:") for process in server.tree() for name in proc.fds(process.pid).values())


def after_close(server, at_most):
    """(memory, sockets) of a server whose clients have gone, soon after it has no more than so many sockets."""
    servers.eventually("the connections are closed", lambda: sockets(server) <= at_most, 30, 0.1)
    time.sleep(AFTER_CLOSE)
    return memory(server), sockets(server)


def idle_connections(rival):
    """What an idle connection takes, each of IDLE having been answered once, and what is kept when they are closed, in bytes.
    Before, FEW have come and gone, so that what a server sets up once is there."""
    shape = shapes.ALL["keep-alive"]
    with servers.Server(rival) as server:
        server.wait_listening()
        with traffic.Client(server, shape, 0.1, FEW) as client:
            client.run()
        before, open_before = after_close(server, 1000)
        with traffic.Client(server, shape, 0.1, IDLE):
            taken = (memory(server) - before) / IDLE
        kept, _ = after_close(server, open_before)
        return {"memory idle": taken, "memory kept": kept - before}


def route_memory(few=10, many=100000):
    """Bytes that a worker takes for a route: the app has so many without a parameter and as many with one."""
    taken = []
    for routes in (few, many):
        with servers.Server(rivals.Covey(routes=routes)) as server:
            lifecycle.settled(server)
            taken.append(1024 * lifecycle.pss(server.workers()))
    return {"route memory": (taken[1] - taken[0]) / (2 * (many - few))}


def by_mapping(text):
    """{file, or kind of memory: kilobytes of PSS} of /proc/PID/smaps."""
    found = collections.Counter()
    name = ""
    for line in text.splitlines():
        if match := re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$", line):
            name = re.sub(r" \(deleted\)$", "", match[1]).rpartition("/")[2] or "anonymous"
        elif match := re.match(r"Pss: +(\d+) kB$", line):
            found[name] += int(match[1])
    return found


def memory_of_many(peer, workers=64):
    """PSS per worker, in kilobytes, when each of many has answered, and what it is made of."""
    with servers.Server(peer, workers) as server:
        lifecycle.settled(server)
        pids = server.workers()
        mapped = sum((by_mapping(proc.read(f"/proc/{pid}/smaps").decode()) for pid in pids), collections.Counter())
        which = ", ".join(f"{name} {kb / workers:.0f}" for name, kb in mapped.most_common() if kb >= workers * 5)
        return {"pss worker": lifecycle.pss(pids) / workers, "pss worker, which": which}


class Idle:
    """A server that nobody asks once each of its workers has answered: its wake-ups, when it has been so for long enough."""

    def __init__(self, peer, workers=8):
        self.server = servers.Server(peer, workers)
        self.since = None

    def __enter__(self):
        lifecycle.settled(self.server)
        self.since = time.monotonic()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)

    def wake_ups(self, seconds=10.0):
        """Per second, of all its processes."""
        time.sleep(max(0.0, self.since + lifecycle.IDLE_AFTER - time.monotonic()))
        pids = [process.pid for process in self.server.tree()]
        before = lifecycle.wakeups(pids)
        time.sleep(seconds)
        return {"wake-ups": (lifecycle.wakeups(pids) - before) / seconds}
