"""The app of app.c for Sanic."""

import asyncio
import os
import subprocess
import time

from sanic import Sanic
from sanic.response import text

app = Sanic("bench")
children = []


@app.before_server_start
async def block_start(_):
    time.sleep(int(os.environ.get("COVEY_BOOT_DELAY", 0)))


@app.get("/")
async def hello(_):
    return text("Hello, World!")


@app.get("/pid")
async def pid(_):
    return text(str(os.getpid()))


@app.get("/slow")
async def slow(request):
    await asyncio.sleep(1)
    return await pid(request)


@app.get("/block")
async def block(request):
    time.sleep(1000)
    return await pid(request)


@app.get("/child")
async def child(request):
    if not children:
        children.append(subprocess.Popen(["sleep", "300"]))
    return await pid(request)
