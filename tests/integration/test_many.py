"""As many workers as there are slots for: started, counted, stopped."""

import json
import subprocess
import time

import pytest

from control import DONE, FLEET, STATUS, answer, message, raw, socket_of
from harness import BUILD, sanitized


@pytest.mark.limit(240)
@pytest.mark.timed
def test_a_thousand_workers_start_are_counted_and_stop(jobs):
    count = 100 if sanitized() else 1000
    began = time.monotonic()
    server = jobs.server("testbed", workers=count)
    server.wait_workers(count, 120)
    server.wait_serving()
    started = time.monotonic() - began

    def status():
        answer = subprocess.run([BUILD / "covey", "status", "--json", str(server.guardian)], env=server.env,
                                capture_output=True, text=True, timeout=20)
        return json.loads(answer.stdout)

    with raw(socket_of(server)) as slow:  # it reads only after another has been told all
        slow.send(message(STATUS))
        told = status()
        kinds = [kind for kind, *_ in iter(lambda: answer(slow), None)]
    assert (kinds[0], kinds[-1]) == (FLEET, DONE)
    ready = [worker for worker in told["workers"] if worker["state"] == "READY"]
    assert len(told["workers"]) == count
    until = time.monotonic() + 60
    while len(ready) < count and time.monotonic() < until:
        ready = [worker for worker in status()["workers"] if worker["state"] == "READY"]
    assert len(ready) == count
    assert {worker["pid"] for worker in ready} == set(server.workers())
    stopped = server.stop()
    print(f"{count} workers: started in {started:.1f} s, stopped in {stopped:.2f} s")
    assert stopped < 10
