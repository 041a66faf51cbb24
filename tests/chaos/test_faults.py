"""Every allocation and system call of src/supervise made to fail once, in servers of every kind that live a whole life.

lib/stories.py has the lives. Each is played without a fault first, which tells the calls that are made: in which role,
from which place of the code. Then one call fails in a play of its own, with each error it may give. lib/plays.py says
what must hold; in short: a play is never longer than its bound, no process, descriptor, file or cgroup is left, the
exit code is a documented one, and a server that goes on works: it answers, replaces its worker, reloads, upgrades,
obeys commands and ends when told.

By default each place fails once in each role, in the first story that comes there; FAULTS=all (./dev faults) has every
call of the ordinary lives fail, and of the others the first and the last from each place.
"""

import os
import time

import pytest

from faults import NEVER_FAIL, NONE, ROLES, Code, Fault, functions, numbers
from harness import sanitized
from plays import Failed, Stage
from stories import STORIES

ALL = os.environ.get("FAULTS") == "all"

pytestmark = pytest.mark.skipif(bool(sanitized()), reason="a sanitizer's own calls would be counted and failed")


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """{story: its stage}, and what a play without a fault has called."""
    made = {}
    try:
        for story in STORIES:
            if not story.missing():
                made[story.name] = stage = Stage(tmp_path_factory.mktemp("story") / "stage", story)
                stage.play(NONE)
                stage.calls, stage.after_faults = stage.plan.seen(), set()
        yield made
    finally:
        for stage in made.values():
            stage.close()


def faults_of(stages, story, role):
    """Those to try of that story, in that role."""
    stage, elsewhere = stages[story.name], set()
    if not ALL:
        for earlier in STORIES[:STORIES.index(story)]:
            elsewhere |= set(stages[earlier.name].calls) if earlier.name in stages else set()
    most = 1 if not ALL else 1000 if story.is_ordinary else 2
    return [Fault(*call, number, second) for call, count in sorted(stage.calls.items())
            if call[0] == ROLES.index(role) and call not in elsewhere
            for number in numbers(count, most) for second in range(1 + stage.plan.has_second[call[1]])]


@pytest.mark.limit(1800 if ALL else 300)
@pytest.mark.parametrize("story, role", [pytest.param(story, role, id=f"{story.name}-{role}")
                                         for story in STORIES for role in story.roles])
def test_every_call_may_fail_once(stages, story, role):
    if story.missing():
        pytest.skip(story.missing())
    stage, tried = stages[story.name], faults_of(stages, story, role)
    wrong, struck, ended, slowest = [], 0, 0, (0.0, "")
    for fault in tried:
        began = time.monotonic()
        try:
            ended += stage.play(fault) != 0
        except Failed as failure:
            wrong.append(str(failure))
        struck += bool(stage.plan.failed_at())
        stage.after_faults |= set(stage.plan.seen())
        slowest = max(slowest, (time.monotonic() - began, stage.plan.describe(fault)))
    print(f"{story.name} {role}: {len(tried)} faults, {struck} struck, {ended} ended the server with an exit code, "
          f"{len(wrong)} wrong; the slowest play {slowest[0]:.2f} s ({slowest[1]})")
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n\n".join(wrong[:20])
    assert struck >= 0.8 * len(tried) - 2  # what depends on time does not come each time


def test_how_many_calls_are_reached(stages):
    """Prints which calls in the code of src/supervise fail in some play, and which do not. Faults lead to more."""
    code, (names, _) = Code(), functions()
    places = {(names[function], at) for stage in stages.values() for _, function, at in stage.calls}
    after = {(names[function], at) for stage in stages.values() for _, function, at in stage.after_faults}
    calls = {call: at for call, at in code.calls("supervise").items() if call[1] in names}
    fail = {call for call, at in calls.items() if any((call[1], place) in places for place in at)}
    late = {call for call, at in calls.items() if any((call[1], place) in after for place in at)} - fail
    print(f"{len(fail)} of {len(calls)} calls are made to fail, {len(late)} more are reached after another has failed")
    for at, name in sorted(set(calls) - fail - late):
        print(f"not reached: {name} in {code.name(at)}")
    if len(stages) == len(STORIES):
        assert len(fail) >= 0.75 * len(calls)


def test_everything_that_can_fail_does():
    """What src/supervise calls of libc is made to fail, or stands in a list with a reason."""
    code, plan = Code(), set(functions()[0])
    never = {name for names in NEVER_FAIL.values() for name in names.split()}
    for folder in code.ranges:
        called = {name for _, name in code.calls(folder)}
        assert called - plan - never == set()
    assert plan & never == set()
