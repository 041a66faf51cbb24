"""tools/tally counts what failed as failed, also when a runner has said nothing."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def tally(path, text=None):
    if text is not None:
        path.write_text(text)
    result = subprocess.run(
        [sys.executable, ROOT / "tools/tally", path], capture_output=True, text=True, timeout=30, check=True
    )
    return tuple(map(int, result.stdout.split()))


def meson_log(*runs):
    return "".join(json.dumps({"name": "t", "stdout": "", "stderr": "", **run}) + "\n" for run in runs)


def test_cmocka_tests_are_counted_one_by_one(tmp_path):
    says = "[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] b\n\n 1 FAILED TEST(S)\n"
    log = meson_log({"result": "OK", "stderr": "[  PASSED  ] 3 test(s).\n"}, {"result": "FAIL", "stderr": says})
    assert tally(tmp_path / "testlog.json", log) == (5, 1)


def test_program_that_counts_nothing_is_one_test(tmp_path):
    log = meson_log({"result": "OK"}, {"result": "TIMEOUT"}, {"result": "FAIL"}, {"result": "SKIP"})
    assert tally(tmp_path / "testlog.json", log) == (1, 2)


def test_failure_that_is_expected_has_passed(tmp_path):
    log = meson_log({"result": "EXPECTEDFAIL"}, {"result": "UNEXPECTEDPASS"})
    assert tally(tmp_path / "testlog.json", log) == (1, 1)


def test_program_that_dies_after_passing_tests_has_failed(tmp_path):
    log = meson_log({"result": "FAIL", "stderr": "[  PASSED  ] 3 test(s).\n"})
    assert tally(tmp_path / "testlog.json", log) == (3, 1)


def test_pytest_errors_are_failures_and_skips_are_nothing(tmp_path):
    xml = '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
    assert tally(tmp_path / "pytest.xml", xml) == (3, 3)


def test_missing_broken_or_empty_file_is_a_failure(tmp_path):
    assert tally(tmp_path / "testlog.json") == (0, 1)
    assert tally(tmp_path / "pytest.xml", "<testsuites>") == (0, 1)
    assert tally(tmp_path / "testlog.json", "") == (0, 1)
    assert tally(tmp_path / "pytest.xml", '<testsuites><testsuite tests="0"/></testsuites>') == (0, 1)
