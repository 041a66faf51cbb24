"""The app of app.c for uvicorn and Granian."""

import asyncio
import os
import subprocess
import time

children = []


async def lifespan(receive, send):
    """It blocks in the event loop, as what opens a database without thinking of it does."""
    await receive()
    time.sleep(int(os.environ.get("COVEY_BOOT_DELAY", 0)))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def act(path):
    if path == "/slow":
        await asyncio.sleep(1)
    elif path == "/block":
        time.sleep(1000)
    elif path == "/child" and not children:
        children.append(subprocess.Popen(["sleep", "300"]))


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await act(scope["path"])
    body = b"Hello, World!" if scope["path"] == "/" else str(os.getpid()).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
