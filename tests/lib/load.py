"""Clients that keep asking GET /pid and remember, for every request that failed, all that can be known about it."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass

import proc

PATIENCE = 40.0  # seconds for one answer: slots in back-off may leave no worker for 10 s
LOST = (ConnectionError, asyncio.IncompleteReadError)


@dataclass
class Failure:
    port: int  # the client's; 0: it could not even connect
    began: float  # the connection
    failed: float
    worker: int  # who answered earlier requests on this connection; 0: nobody yet
    error: str


@dataclass
class Kill:
    pid: int
    at: float
    ports: frozenset  # client ports of the connections it had accepted; None: was not looked at


def accepted(pid, port):
    """The client ports of the connections that (stopped) process holds on the server's port."""
    inodes = {name[8:-1] for name in proc.fds(pid).values() if name.startswith("socket:[")}
    ports = set()
    for line in proc.read("/proc/net/tcp").decode().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes and fields[9] != "0" and int(fields[1].rpartition(":")[2], 16) == port:
            ports.add(int(fields[2].rpartition(":")[2], 16))
    return frozenset(ports)


class Load:
    """kept: connections of many requests with short pauses; lazy: with long ones; fresh: one request each."""

    def __init__(self, address, kept=10, lazy=6, fresh=6, seed=1):
        self.address, self.dice, self.running = address, random.Random(seed), True
        self.failures, self.answers, self.connections, self.workers = [], 0, 0, Counter()
        self.slowest = 0.0
        pauses = [(0.0, 0.02, 200)] * kept + [(0.5, 1.5, 50)] * lazy + [(0.0, 0.01, 1)] * fresh
        self.tasks = [asyncio.create_task(self._client(*pause)) for pause in pauses]

    async def finish(self):
        """Lets the requests under way end. No client may have ended otherwise."""
        self.running = False
        await asyncio.gather(*self.tasks)

    async def _client(self, shortest, longest, requests):
        while self.running:
            await self._connection(shortest, longest, self.dice.randint(1, requests))
            await asyncio.sleep(self.dice.uniform(0, 0.005))

    async def _connection(self, shortest, longest, requests):
        began, port, worker, writer = time.monotonic(), 0, 0, None
        try:
            reader, writer = await asyncio.open_connection(*self.address)
            port = writer.get_extra_info("sockname")[1]
            self.connections += 1
            for number in range(requests):
                last = number == requests - 1
                pid, closes = await self._ask(reader, writer, last)
                assert worker in (0, pid), "a connection changed its worker"
                worker = pid
                self.workers[pid] += 1
                if closes or not self.running:
                    break
                if not last:
                    await asyncio.sleep(self.dice.uniform(shortest, longest))
        except LOST as error:
            self.failures.append(Failure(port, began, time.monotonic(), worker, repr(error)))
        finally:
            if writer:
                writer.close()

    async def _ask(self, reader, writer, last):
        asked = time.monotonic()
        closing = b"Connection: close\r\n" if last else b""
        writer.write(b"GET /pid HTTP/1.1\r\nHost: storm\r\n" + closing + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith("http/1.1 200 "), head
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
        self.answers += 1
        self.slowest = max(self.slowest, time.monotonic() - asked)
        return int(body), "connection: close" in head


def unexplained(failures, kills):
    """The failures that no kill accounts for; see test_storm.py for the argument."""
    return [failure for failure in failures if not any(_explains(kill, failure) for kill in kills)]


def _explains(kill, failure):
    if not failure.port or not failure.began <= kill.at <= failure.failed:
        return False
    if failure.worker:
        return kill.pid == failure.worker
    if kill.ports is not None:
        return failure.port in kill.ports
    return failure.failed - kill.at < 1.0
