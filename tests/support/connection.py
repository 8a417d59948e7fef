"""The service's middleware and connection around an application, served by uvicorn for one talk."""

import asyncio
import json

import uvicorn

from scoring.schema import Decoder
from scoring.serving.limits import Limits, Route
from scoring.serving.middleware import Middleware
from scoring.serving.private.connection import connection

LIMITS = Limits(header_bytes=2_048, header_s=0.3, pause_s=0.3, body_s=2.0)


async def app(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def echo(scope, receive, send):
    """Answer with the body that came, and the headers that are no part of its framing."""
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        body, is_whole = body + message.get("body", b""), not message.get("more_body", False)
    sleep = dict(scope["headers"]).get(b"sleep")
    await asyncio.sleep(float(sleep or 0))
    said = json.dumps(
        [scope["path"], body.decode(), [name.decode() for name, _ in scope["headers"]]]
    ).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


def serve(talk, app=app, limits=LIMITS, most=0, gate=lambda app: app, is_draining=lambda: False, **options):
    """Run ``talk(port)`` against the app, behind the middleware and our connection."""

    async def run():
        guarded = Middleware(app, {"/score": Route(rows=1)}, Decoder({}), limits=limits, **options)
        config = uvicorn.Config(
            gate(guarded),
            port=0,
            log_config=None,
            timeout_keep_alive=1,
            http=connection(limits, is_draining, most),
            forwarded_allow_ips="",
        )
        server = uvicorn.Server(config)
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            return await asyncio.wait_for(talk(port), 20)
        finally:
            server.should_exit = server.force_exit = True
            await task

    return asyncio.run(run())
