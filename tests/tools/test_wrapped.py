"""What src/serve and src/http call of libc is made to fail by tests/unit/host/native/test_faults.c, or never fails."""

import re
import subprocess

import pytest

from faults import NEVER_FAIL
from harness import BUILD, ROOT, sanitized

UNIT = ROOT / "tests" / "unit"

# Besides those of lib/faults.py.
NEVER = {
    "only reads or writes memory": "inet_pton strcasecmp strncasecmp _GLOBAL_OFFSET_TABLE_",
    "gives back what it can": "malloc_trim",
    "a hint that the kernel may not follow": "posix_fadvise64",
    "a file that was made in the moment before": "unlink",
}


def wrapped():
    """The functions that the linker is told to wrap (tests/meson.build)."""
    lines = (UNIT / "host" / "native" / "wrapped.h").read_text().splitlines()
    return {"malloc", "calloc", "realloc", "reallocarray", "free"} | {
        found[1] for line in lines if (found := re.match(r"WRAP\w*\((\w+)", line))}


def called(folder):
    """What its object files need of others that are not covey's."""
    answer = subprocess.run(["readelf", "-sW", BUILD / f"libcv_{folder}.a"], capture_output=True, text=True, check=True)
    words = [line.split() for line in answer.stdout.splitlines()]
    return {word[7] for word in words if len(word) == 8 and word[6] == "UND" and not word[7].startswith("cv_")}


@pytest.mark.skipif(bool(sanitized()), reason="a sanitizer's own calls would be among them")
@pytest.mark.parametrize("folder", ["serve", "http"])
def test_everything_that_can_fail_does(folder):
    never = {name for names in (*NEVER_FAIL.values(), *NEVER.values()) for name in names.split()}
    assert called(folder) - wrapped() - never == set()
    assert called(folder) & wrapped() or folder == "http"
