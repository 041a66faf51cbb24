"""The public headers and macros as users compile them: every dialect, both compilers, all warnings."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARNINGS = ("-Werror -Wall -Wextra -Wconversion -Wpedantic -Wshadow -Wundef -Wstrict-prototypes "
            "-Wmissing-prototypes -Wcast-qual -Wwrite-strings").split()

# Every macro with and without options.
PROGRAM = r"""
#include <covey/covey.h>

static int hello(covey_req *req)
{
    int rc = covey_respond(req, 200);
    if (rc == 0)
        rc = covey_respond(req, 200, .type = "text/plain", .length = 5);
    if (rc == 0)
        rc = covey_file(req, "a");
    if (rc == 0)
        rc = covey_file(req, "a", .root = "b", .max_age = 1);
    if (rc == 0)
        rc = covey_set_cookie(req, "a", "b");
    if (rc == 0)
        rc = covey_set_cookie(req, "a", "b", .path = "/", .secure = COVEY_OFF);
    if (rc == 0)
        rc = covey_delete_cookie(req, "a");
    if (rc == 0)
        rc = covey_delete_cookie(req, "a", .path = "/");
    if (rc == 0)
        rc = covey_sse_begin(req);
    if (rc == 0)
        rc = covey_sse_begin(req, .heartbeat = 1000);
    if (rc == 0)
        rc = covey_sse_send(req, "data");
    if (rc == 0)
        rc = covey_sse_send(req, "data", .event = "a", .id = "1");
    return rc < 0 ? rc : covey_textf(req, 200, "Hello, %s\n", covey_param(req, "name"));
}

static int init(covey_app *app) { return covey_setup_fail(app, "no %d", 1); }

static int told(covey_app *app, const struct covey_signal_event *event)
{
    if (event->param != NULL)
        return covey_wait_signal(app, "a.b.*", .timeout = 10, .condition = "x");
    return covey_dispatch(app, "a.b.c") + covey_dispatch(app, "a", .background = true);
}

static void task(void *arg) { (void)arg; }

static int setup(covey_app *app)
{
    covey_listener(app, COVEY_BEFORE_SERVER_START, init);
    covey_middleware(app, COVEY_REQUEST, hello);
    covey_middleware(app, COVEY_RESPONSE, hello, .priority = 1, .routes = "b");
    covey_app *part = covey_blueprint(app, "part", .prefix = "/part");
    covey_blueprint(part, NULL, setup, .prefix = "/x");
    covey_blueprint(app, "copy", .copy_of = part);
    covey_on_error(part, COVEY_CLIENT_ERROR, hello);
    covey_signal(app, "a.b.<c>", told);
    covey_signal(app, "a", told, .priority = 1, .exclusive = COVEY_OFF);
    if (covey_add_task(app, task) < 0 || covey_add_task(app, task, .name = "t", .every = 1000) < 0)
        return -1;
    covey_get(app, "/a", hello);
    covey_get(app, "/b", hello, .name = "b");
    covey_post(app, "/c", hello, .body_max = 1 << 20, .stream = true);
    covey_put(app, "/d", hello, .response_timeout = COVEY_OFF);
    covey_patch(app, "/e", hello, .half_close = true, .compress = COVEY_OFF);
    covey_delete(app, "/f", hello);
    covey_options(app, "/g", hello);
    covey_route(app, "GET, POST", "/h", hello);
    covey_static(app, "/i", "public");
    covey_post(app, "/k", hello, .spool_above = 1 << 20);
    covey_static(app, "/j", "public", .index = "index.html", .max_age = COVEY_OFF, .listing = true);
    return 0;
}
COVEY_APP(setup)
COVEY_APP_AS(other_entry, setup)

int main(int argc, char **argv)
{
    if (argc > 9)
        return covey_main(argc, argv, setup, .port = 9000, .env_prefix = "X_");
    if (argc > 8)
        return covey_run(setup);
    if (argc > 7)
        return covey_run(setup, .workers = COVEY_WORKERS_FAST);
    return covey_main(argc, argv, setup);
}
"""


def compile_c(source, compiler, dialect, folder):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    path = folder / "app.c"
    path.write_text(source)
    result = subprocess.run(
        [compiler, f"-std={dialect}", "-fsyntax-only", *WARNINGS, f"-I{ROOT}/include", str(path)],
        capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("dialect", ["c11", "gnu11", "c17", "c2x"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_program_compiles_without_warnings(compiler, dialect, tmp_path):
    compile_c(PROGRAM, compiler, dialect, tmp_path)


@pytest.mark.parametrize("header", sorted(p.name for p in (ROOT / "include/covey").glob("*.h")))
def test_each_header_stands_alone(header, tmp_path):
    include = f"#include <covey/{header}>\n"
    compile_c(include + include + "extern int unused;\n", "gcc", "c11", tmp_path)


def test_cxx_is_refused_with_a_sentence(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    path = tmp_path / "app.cc"
    path.write_text("#include <covey/covey.h>\n")
    result = subprocess.run(["g++", "-fsyntax-only", f"-I{ROOT}/include", str(path)],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode != 0
    assert "covey's headers are C only" in result.stderr
