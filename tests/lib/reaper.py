"""A process of its own above each job, which nothing in the job can get away from.

It is a subreaper: whatever the job starts, however often it forks, changes its session or loses its
parents, stays below it. Once it has no child left, nothing of the job is left: a fact the kernel
states (ECHILD), not a scan. It reports over a pipe:

    S pid                started
    X errno              could not be executed
    R pid status time    something ended that nobody else had reaped (CLOCK_MONOTONIC)
    E time               nothing is left

When the control pipe closes (the test is over, or the test runner was killed) it kills what there is.
"""

import ctypes
import os
import select
import signal
import sys
import time
import traceback

import proc

PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36
CLOSE_RANGE_CLOEXEC = 4
libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper():
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def close_on_exec_from(least):
    if libc.close_range(least, 0x7FFFFFFF, CLOSE_RANGE_CLOEXEC) != 0:
        raise OSError(ctypes.get_errno(), "close_range")


def kill(process):
    """Kills exactly this process: by pidfd, if it is still the one that was seen."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        now = proc.stat(process.pid)
        if now and now.start == process.start:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def start(launch):
    """Forks a reaper that forks `launch` (which must exec). Returns (reaper's pid, report fd, control fd)."""
    report, report_end = os.pipe()
    control_end, control = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _run(launch, report_end, control_end)
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    os.close(report_end)
    os.close(control_end)
    return pid, report, control


def _run(launch, report, control):
    become_subreaper()
    libc.prctl(PR_SET_NAME, b"reaper", 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    wake, wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_end)

    def say(text):
        os.write(report, text.encode() + b"\n")

    say(f"S {_fork(launch, say, report)}")
    _close_all_but(report, control, wake, wake_end)
    try:
        _watch(say, control, wake)
    except BrokenPipeError:
        pass
    _kill_all()


def _fork(launch, say, report):
    # Blocked until the child has all defaults back: a signal sent at once must not meet what is ignored here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                try:
                    signal.signal(number, signal.SIG_DFL)
                except OSError:
                    pass
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            launch()
        except OSError as error:
            say(f"X {error.errno}")
        finally:
            os._exit(127)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _close_all_but(*keep):
    """The runner's other sockets and pipes must not live longer because this process holds copies."""
    at = 0
    for fd in sorted({0, 1, 2, *keep}):
        if at < fd:  # closerange(0, 0) closes everything
            os.closerange(at, fd)
        at = fd + 1
    os.closerange(at, 1 << 16)


def _watch(say, control, wake):
    left = True
    while True:
        if left:
            news = _reap()
            left = not (news and news[-1].startswith("E"))
            if news:
                say("\n".join(news))
        ready, _, _ = select.select([control, wake], [], [])
        if control in ready:
            return
        os.read(wake, 512)


def _reap():
    """What has ended, in one report: whoever hears that the last process ended hears that nothing is left, too."""
    news = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return [*news, f"E {time.monotonic()}"]
        if pid == 0:
            return news
        news.append(f"R {pid} {os.waitstatus_to_exitcode(status)} {time.monotonic()}")


def _kill_all():
    while True:
        for process in proc.descendants(os.getpid()):
            kill(process)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)
