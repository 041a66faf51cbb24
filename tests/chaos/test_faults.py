"""Every allocation and system call of src/supervise made to fail once, in servers of every kind that live a whole life.

lib/stories.py has the lives. Each is played without a fault first, which tells the calls that are made: in which role,
from which place of the code. Then one call fails in a play of its own, with each error it may give; and then, after the
fault that has led there, each call that is only made when another has failed. lib/plays.py says what must hold; in
short: a play is never longer than its bound, no process, descriptor, file or cgroup is left, the exit code is a
documented one, and a server that goes on works: it answers, replaces its worker, reloads, upgrades, obeys commands and
ends when told.

By default each place fails once in each role, in the first story that comes there. FAULTS=all (./dev faults) has every
call of the ordinary lives fail, and of the others the first and the last from each place; then what is only called after
a fault. No call is left then.
"""

import os
import time

import pytest

import stories
from faults import NEVER_FAIL, ROLES, Code, Fault, functions, numbers
from harness import sanitized
from plays import Failed, Stage

ALL = os.environ.get("FAULTS") == "all"
ATTEMPTS = 3  # what depends on time does not come each time
STORIES = [story for story in stories.STORIES if ALL or not story.is_slow]

pytestmark = pytest.mark.skipif(bool(sanitized()), reason="a sanitizer's own calls would be counted and failed")


@pytest.fixture(scope="module")
def stages():
    """{story: its stage}, and what a play without a fault has called."""
    made = {}
    try:
        for story in STORIES:
            if not story.missing():
                made[story.name] = stage = Stage(story)
                stage.play()
                stage.calls = stage.plan.seen()
                stage.led_to = {}  # {call: of the faults after which it was made, the nearest in the code}
                stage.failed = set()  # the calls that have failed
        yield made
    finally:
        for stage in made.values():
            stage.close()


def earlier(stages, story):
    """The stages of the stories before that one."""
    return [stages[other.name] for other in STORIES[:STORIES.index(story)] if other.name in stages]


def errors_of(stage, call, nth=1):
    """The faults of one call: one for each error."""
    return [Fault(*call, nth, second) for second in range(1 + stage.plan.has_second[call[1]])]


def faults_of(stages, story, role):
    """Those to try of that story, in that role."""
    stage, elsewhere = stages[story.name], set()
    if not ALL or story.is_brief:
        elsewhere = {call for other in earlier(stages, story) for call in other.calls}
    most = 1 if not ALL else 1000 if story.is_ordinary else 2
    return [fault for call, count in sorted(stage.calls.items())
            if call[0] == ROLES.index(role) and call not in elsewhere
            for nth in numbers(count, most) for fault in errors_of(stage, call, nth)]


def faults_after(stages, story):
    """[(fault, the one after it)]: of the calls that have not failed by themselves, in any story. Most are only made when
    another has failed; some depend on time, and are sure to be made then."""
    stage = stages[story.name]
    known = {call for other in stages.values() for call in other.failed}
    return [(first, then) for call, first in sorted(stage.led_to.items()) if call not in known
            for then in errors_of(stage, call)]


def note(stage, faults):
    """What has failed, and what was called thereafter."""
    for fault in [fault for number, fault in enumerate(faults) if stage.plan.struck(number)]:
        stage.failed.add(fault.call)
        for call in stage.plan.seen():
            stage.led_to[call] = min(fault, stage.led_to.get(call, fault), key=lambda led: abs(led.at - call[2]))


def try_all(stage, tried):
    """Plays each, a tuple of faults. Returns how many have come to pass and a sentence; fails if one is wrong."""
    wrong, struck, ended, slowest = [], 0, 0, (0.0, "")
    for faults in tried:
        began, last = time.monotonic(), len(faults) - 1
        try:
            for _ in range(ATTEMPTS):
                code = stage.play(*faults)
                note(stage, faults)
                if stage.plan.struck(last):
                    break
            ended += code != 0
        except Failed as failure:
            note(stage, faults)
            wrong.append(str(failure))
        struck += stage.plan.struck(last)
        slowest = max(slowest, (time.monotonic() - began, stage.plan.describe(*faults)))
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n\n".join(wrong[:20])
    return struck, (f"{len(tried)} faults, {struck} struck, {ended} ended the server with an exit code; "
                    f"the slowest play {slowest[0]:.2f} s ({slowest[1]})")


@pytest.mark.limit(1800 if ALL else 300)
@pytest.mark.parametrize("story, role", [pytest.param(story, role, id=f"{story.name}-{role}")
                                         for story in STORIES for role in story.roles])
def test_every_call_may_fail_once(stages, story, role):
    if story.missing():
        pytest.skip(story.missing())
    tried = [(fault,) for fault in faults_of(stages, story, role)]
    struck, told = try_all(stages[story.name], tried)
    print(f"{story.name} {role}: {told}")
    assert struck >= 0.8 * len(tried) - 2


@pytest.mark.limit(1800 if ALL else 300)
@pytest.mark.parametrize("story", STORIES if ALL else [], ids=lambda story: story.name)
def test_what_is_called_after_a_fault_may_fail_too(stages, story):
    if story.missing():
        pytest.skip(story.missing())
    print(f"{story.name}, two: {try_all(stages[story.name], faults_after(stages, story))[1]}")


def test_no_call_is_left(stages):
    """Each call in the source of src/supervise has failed in some play."""
    code, (names, _) = Code(), functions()
    failed = {(at, names[function]) for stage in stages.values() for _, function, at in stage.failed}
    copies = {call: source for call, source in code.sources("supervise").items() if source.called in names}
    done = {copies[call] for call in failed & set(copies)}
    left = sorted(set(copies.values()) - done)
    print(f"{len(done)} of {len(done) + len(left)} calls in the source were made to fail; "
          f"of {len(copies)} in the object code {len(failed & set(copies))}")
    for source in left:
        print(f"not made to fail: {source} ({source.line})")
    for at, name in sorted(set(copies) - failed):
        print(f"copy not made to fail: {copies[at, name]} ({code.name(at)})")
    assert copies
    if len(stages) == len(STORIES):
        assert len(left) <= (0 if ALL else 0.2 * len(done))


def test_everything_that_can_fail_does():
    """What src/supervise calls of libc is made to fail, or stands in a list with a reason."""
    code, plan = Code(), set(functions()[0])
    never = {name for names in NEVER_FAIL.values() for name in names.split()}
    for folder in code.ranges:
        called = {name for _, name in code.calls(folder)}
        assert called - plan - never == set()
    assert plan & never == set()
