"""The app of app.c for gunicorn and uwsgi. It blocks where they load it: in each worker."""

import os
import subprocess
import time

children = []


def child():
    if not children:
        children.append(subprocess.Popen(["sleep", "300"]))


ACTIONS = {"/slow": lambda: time.sleep(1), "/block": lambda: time.sleep(1000), "/child": child}

time.sleep(int(os.environ.get("COVEY_BOOT_DELAY", 0)))


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ACTIONS:
        ACTIONS[path]()
    body = b"Hello, World!" if path == "/" else str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
