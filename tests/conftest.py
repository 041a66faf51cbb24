"""What every test with processes gets: a bound on its time, and the check that nothing is left."""

import faulthandler
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

import apps  # noqa: E402
import deployment as deployments  # noqa: E402
import harness  # noqa: E402
import reaper  # noqa: E402
import server  # noqa: E402

LIMIT = 120  # seconds per test, unless @pytest.mark.limit(n)


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): the test may take that long")
    config.addinivalue_line("markers", "timed: means nothing on a machine or build that is much slower than usual")
    reaper.become_subreaper()  # so that even what a dead reaper leaves behind is found here


class TooLong(Exception):
    """The test took longer than its limit."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    mark = item.get_closest_marker("limit")
    limit = mark.args[0] if mark else LIMIT

    def ring(*_):
        raise TooLong(f"{item.nodeid} took longer than {limit} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(limit)
    faulthandler.dump_traceback_later(limit + 30, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.passed = outcome.get_result().passed


class Jobs:
    """Starts jobs for one test, each in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.made, self.expected = folder, [], []

    def next_folder(self):
        return self.folder / f"job{len(self.made)}"

    def server(self, *args, **how):
        return self._keep(server.Server(self.next_folder(), *args, **how))

    def job(self, *args, **how):
        return self._keep(harness.Job(self.next_folder(), *args, **how))

    def run(self, argv, **how):
        job = harness.run(self.next_folder(), argv, **how)
        return self._keep(job)

    def _keep(self, job):
        self.made.append(job)
        return job


@pytest.fixture
def public():
    """Copies a program to where every user can start it: the build may lie in a home that only its owner can enter."""
    folder = Path(tempfile.mkdtemp(prefix="coveytest"))
    (folder / "bin").mkdir()
    for path in (folder, folder / "bin"):
        path.chmod(0o755)
    shutil.copy(harness.BUILD / "libcovey.so.0", folder)
    yield lambda program: shutil.copy(program, folder / "bin")
    shutil.rmtree(folder)


@pytest.fixture
def jobs(request, tmp_path):
    """Whatever still serves when the test has passed is stopped by one TERM, and nothing may be left of it.
    A job that is meant to leave something behind must have been closed by its test."""
    made = Jobs(tmp_path)
    yield made
    try:
        if getattr(request.node, "passed", False):
            for job in made.made:
                if job._report is not None and not job.gone and isinstance(job, server.Server):
                    job.stop()
                elif job._report is not None:
                    job.assert_nothing_left()
    finally:
        for job in made.made:
            job.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """app(body, ...): compiles a C program against the build under test; its path."""
    folder = tmp_path_factory.mktemp("apps")
    return lambda body, **how: apps.compile_c(folder, body, **how)


@pytest.fixture
def deployment(app, tmp_path):
    """A program that answers "old", to be replaced by others (deployment.py)."""
    return deployments.Deployment(app, tmp_path / "deployed").deploy(answer="old")


@pytest.fixture(params=["spawn", "fork"])
def method(request):
    return request.param
