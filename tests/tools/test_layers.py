"""tools/layers finds each kind of forbidden #include, and nothing else."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
RULES = (ROOT / "tools/layers.txt").read_text()


def judge(tmp_path, files, rules=RULES):
    for name, text in {"tools/layers.txt": rules, **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run(
        [sys.executable, ROOT / "tools/layers", tmp_path], capture_output=True, text=True, timeout=30
    )


def assert_refused(result, *words):
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1
    for word in words:
        assert word in result.stdout


def test_allowed_includes_pass(tmp_path):
    result = judge(
        tmp_path,
        {
            "src/base/buf.c": '#include "base/buf.h"\n#include <string.h>\n',
            "src/http/h1.c": '#include "http/h1.h"\n#include "base/span.h"\n',
            "src/loop/loop.c": "#include <sys/epoll.h>\n",
            "src/app/app.c": "#include <covey/app.h>\n",
            "tests/unit/http/test_h1.c": '#include "http/h1.h"\n#include <sys/wait.h>\n',
        },
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_arrow_against_the_order_is_refused(tmp_path):
    result = judge(tmp_path, {"src/base/buf.c": '\n#include "http/h1.h"\n'})
    assert_refused(result, "src/base/buf.c:2", "base must not see http")


def test_serve_and_supervise_do_not_see_each_other(tmp_path):
    assert_refused(judge(tmp_path, {"src/serve/a.c": '#include "supervise/supervise.h"\n'}), "supervise")
    assert_refused(
        judge(tmp_path, {"src/serve/a.c": "", "src/supervise/b.c": '#  include "serve/server.h"\n'}),
        "supervise must not see serve",
    )


def test_nested_folder_is_a_layer_of_its_own(tmp_path):
    result = judge(tmp_path, {"src/host/native/a.c": '#include "host/python/b.h"\n'})
    assert_refused(result, "host/native must not see host/python")


def test_include_without_its_folder_is_refused(tmp_path):
    assert_refused(judge(tmp_path, {"src/base/buf.c": '#include "buf.h"\n'}), "write the folder")


def test_public_headers_are_a_layer(tmp_path):
    assert_refused(judge(tmp_path, {"src/http/a.c": "#include <covey/app.h>\n"}), "must not see covey")
    assert_refused(
        judge(tmp_path, {"src/http/a.c": "", "include/covey/a.h": '#include "base/buf.h"\n'}),
        "covey must not see base",
    )


def test_fenced_headers_are_refused_outside(tmp_path):
    for header in ("Python.h", "openssl/ssl.h", "sys/epoll.h", "sys/wait.h"):
        assert_refused(judge(tmp_path, {"src/serve/a.c": f"#include <{header}>\n"}), header, "belongs to")


def test_file_outside_every_folder_is_refused(tmp_path):
    assert_refused(judge(tmp_path, {"src/misc/a.c": ""}), "no folder")


def test_unit_test_sees_no_more_than_its_folder(tmp_path):
    result = judge(tmp_path, {"tests/unit/http/test_a.c": '#include "loop/loop.h"\n'})
    assert_refused(result, "http must not see loop")


def test_rooms_of_a_folder_have_arrows_too(tmp_path):
    rules = "base:\nshow: base\nroom show/talk: words\nroom show/words:\n"
    allowed = {
        "src/show/talk/a.c": '#include "show/talk/a.h"\n#include "show/words/b.h"\n#include "base/buf.h"\n',
        "src/show/c.c": '#include "show/talk/a.h"\n',
        "tests/unit/show/test_b.c": '#include "show/talk/a.h"\n#include "show/words/b.h"\n',
    }
    result = judge(tmp_path, allowed, rules)
    assert (result.returncode, result.stdout) == (0, "")
    words = tmp_path / "src/show/words/b.c"
    for header, folder in (("show/talk/a.h", "show/talk"), ("show/c.h", "show")):
        assert_refused(
            judge(tmp_path, {words.relative_to(tmp_path): f'#include "{header}"\n'}, rules),
            "src/show/words/b.c:1", f"show/words must not see {folder}\n",
        )


def test_wrong_rules_are_not_silently_ignored(tmp_path):
    assert judge(tmp_path, {}, "base: bose\n").returncode == 2
    assert judge(tmp_path, {}, "base\n").returncode == 2
    assert judge(tmp_path, {}, "base:\nroom base/low: lwo\n").returncode == 2
