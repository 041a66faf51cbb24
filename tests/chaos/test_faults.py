"""Every allocation and system call of src/supervise made to fail once, in a server that lives a whole life.

A first play counts the calls: (role, function) -> number. Then the n-th call of each fails in a play of its own,
with each error it may give. lib/faults.py says what a play is and what must hold at its end; in short: it is
never longer than its bound, no process, descriptor or file is left, the exit code is a documented one, and a server
that goes on works: it answers, replaces its worker, reloads, is asked for its status and ends by TERM.

By default the first, a middle and the last call of each are tried; FAULTS=all (./dev faults) tries every one.
"""

import os
import time

import pytest

from faults import ROLES, Failed, Fault, Stage, numbers
from harness import sanitized

ALL = os.environ.get("FAULTS") == "all"

pytestmark = pytest.mark.skipif(bool(sanitized()), reason="a sanitizer's own calls would be counted and failed")


def faults_of(stage, role):
    """Those to try in that role, by the counts of a play in which nothing fails."""
    stage.play(Fault(0, 0, 0))
    found = []
    for (where, function), count in sorted(stage.counts().items()):
        if where == ROLES.index(role):
            found += [Fault(where, function, number, second) for number in numbers(count, ALL)
                      for second in range(1 + stage.has_second[function])]
    return found


@pytest.mark.limit(1800 if ALL else 300)
@pytest.mark.parametrize("role", ROLES)
def test_every_call_may_fail_once(tmp_path, method, role):
    if (method, role) == ("fork", "birth"):
        pytest.skip("a forked worker is one from its first line")
    stage = Stage(tmp_path / "stage", method)
    wrong, struck, ended, slowest = [], 0, 0, (0.0, "")
    tried = faults_of(stage, role)
    assert tried
    for fault in tried:
        began = time.monotonic()
        try:
            ended += stage.play(fault) != 0
        except Failed as failure:
            wrong.append(str(failure))
        struck += bool(stage.failed_at())
        slowest = max(slowest, (time.monotonic() - began, f"{stage.describe(fault)} {stage.failed_at()}"))
    print(f"{method} {role}: {len(tried)} faults, {struck} struck, {ended} ended the server with an exit code, "
          f"{len(wrong)} wrong; the slowest play {slowest[0]:.2f} s ({slowest[1]})")
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n\n".join(wrong[:10])
    assert struck > 0.8 * len(tried)
