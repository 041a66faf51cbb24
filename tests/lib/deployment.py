"""A program that is replaced on disk while a server runs it, and the commands that make the server see it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from client import eventually
from harness import BUILD

COVEY = BUILD / "covey"

# The new program is told by ANSWER. CRASH and others make it one that cannot take over.
APP = """
static int before_all(void)
{
    const char *handed = getenv("_COVEY_HANDOVER");
    (void)handed;
#ifdef LEAVES
    if (handed != NULL && fork() == 0) sleep(1000);
#endif
#ifdef CRASH
    if (handed != NULL) abort();
#endif
#ifdef DULL
    if (handed != NULL) return 0;
#endif
#ifdef HANG
    if (handed != NULL) sleep(60);
#endif
#ifdef SHY
    if (handed != NULL) chmod("/proc/self/exe", 0644);
#endif
#ifdef SHY_LATER
    if (handed != NULL && access("tried", F_OK) == 0) chmod("/proc/self/exe", 0644);
    if (handed != NULL) close(open("tried", O_CREAT | O_WRONLY, 0600));
#endif
#ifdef THREAD
    pthread_t thread;
    if (handed != NULL) pthread_create(&thread, NULL, (void *(*)(void *))(void *)sleep, (void *)60);
#endif
    return 1;
}
static int answer(covey_req *req) { return covey_text(req, 200, ANSWER); }
static int pid(covey_req *req) { return covey_textf(req, 200, "%d", (int)getpid()); }
static int wait_ms(covey_req *req)
{
    int rc = covey_sleep_ms(covey_param_int(req, "ms"));
    return rc < 0 ? rc : covey_text(req, 200, ANSWER);
}
static int begin(covey_app *app)
{
    usleep((unsigned)covey_config_int(app, "SLOW_MS", 0) * 1000);
    return 0;
}
#ifdef WITH_MAIN
static int main_begin(covey_app *app) { (void)app; return 0; }
#endif
#ifdef MANAGED
static const char *const sleeper[] = {"sleep", "1000", NULL};
static int work(covey_app *app)
{
    while (!covey_is_stopping(app))
        covey_sleep_ms(20);
    return 0;
}
#endif
static int setup(covey_app *app)
{
#ifdef MANAGED
    covey_manage_command(app, "durable", sleeper);
    covey_manage(app, "transient", work, .transient = true);
#endif
#ifdef SULK
    return covey_setup_fail(app, "sulking");
#endif
    covey_listener(app, COVEY_BEFORE_SERVER_START, begin);
#ifdef WITH_MAIN
    covey_listener(app, COVEY_MAIN_PROCESS_START, main_begin);
#endif
    covey_get(app, "/", answer);
    covey_get(app, "/pid", pid);
    covey_get(app, "/wait/<ms:int>", wait_ms);
    return 0;
}
"""
MAIN = """
#include <sys/stat.h>
int main(int argc, char **argv) { return before_all() ? covey_main(argc, argv, setup) : 0; }
"""
SHARED = """
static int all(covey_app *app) { return before_all() ? setup(app) : -1; }
COVEY_APP(all)
"""


class Deployment:
    """A program at one path that is replaced by others, as a deployment does: by renaming over it."""

    def __init__(self, app, folder):
        self.app, self.path = app, Path(folder) / "shop"
        self.path.parent.mkdir(exist_ok=True)

    def compile(self, *define, answer="new", **how):
        return self.app("#include <sys/stat.h>\n" + APP + (SHARED if how.get("shared") else MAIN), main=False,
                        define=(f'ANSWER="{answer}"', *define), **how)

    def deploy(self, *define, answer="new"):
        fresh = self.path.with_name("fresh")
        shutil.copy(self.compile(*define, answer=answer), fresh)
        fresh.rename(self.path)
        return self


def run(server, *words):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(server.cwd)}
    return subprocess.run([COVEY, *words], env=env, text=True, capture_output=True, timeout=60, check=False)


def upgrade(server, code=0):
    """covey upgrade; what it wrote."""
    found = run(server, "upgrade")
    assert found.returncode == code, f"{found}\n{server.tail()}"
    return found.stdout + found.stderr


def status(server):
    found = run(server, "status", "--json")
    assert found.returncode == 0, f"{found}\n{server.tail()}"
    return json.loads(found.stdout)


def supervisors(server):
    return server.guardian, server.master()


def wait_log(server, text, timeout=15.0):
    eventually(f"the log says {text!r}", lambda: text in server.err, timeout)


def runs(pid):
    """The inode of the program that the process runs."""
    return os.stat(f"/proc/{pid}/exe").st_ino


def pids_of(server, name):
    """The processes of that managed name that run."""
    return [worker["pid"] for worker in status(server)["workers"]
            if worker["name"].startswith(name) and worker["state"] == "READY"]
