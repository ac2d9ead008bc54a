#!/usr/bin/python3
"""websockets, Tornado and aiohttp as the echoing server or client that wsconform
tests, with permessage-deflate. All three check UTF-8 themselves.

    conform.py --lib tornado --listen 9002
    conform.py --lib aiohttp --url ws://127.0.0.1:9001 --agent aiohttp
    conform.py --lib websockets --version
"""

import argparse
import asyncio
import importlib.metadata
import logging
import platform
import urllib.parse

MAX_MESSAGE = 256 << 20
CASE_TIME = 60  # seconds; Tornado's client does not notice every end of a handshake


class Websockets:
    options = {"max_size": MAX_MESSAGE, "ping_interval": None}

    async def echo(self, c):
        import websockets

        last = None
        try:
            async for last in c:
                await c.send(last)
        except websockets.ConnectionClosed:
            pass
        return last

    async def serve(self, port):
        import websockets

        async with websockets.serve(self.echo, "127.0.0.1", port, **self.options):
            await asyncio.Future()

    async def dial(self, url, echo):
        import websockets

        async with websockets.connect(url, open_timeout=10, **self.options) as c:
            return await (self.echo(c) if echo else c.recv())


class Tornado:
    async def serve(self, port):
        import tornado.web
        import tornado.websocket

        class Echo(tornado.websocket.WebSocketHandler):
            def check_origin(self, origin):
                return True

            def get_compression_options(self):
                return {}

            def on_message(self, message):
                self.write_message(message, binary=isinstance(message, bytes))

        app = tornado.web.Application([("/.*", Echo)], websocket_max_message_size=MAX_MESSAGE)
        app.listen(port, "127.0.0.1", backlog=4096)
        await asyncio.Future()

    async def dial(self, url, echo):
        import tornado.websocket

        c = await tornado.websocket.websocket_connect(
            url, connect_timeout=10, compression_options={}, max_message_size=MAX_MESSAGE
        )
        while True:
            message = await c.read_message()
            if message is None or not echo:
                return message
            await c.write_message(message, binary=isinstance(message, bytes))


class Aiohttp:
    async def echo(self, c):
        import aiohttp

        async for m in c:
            if m.type == aiohttp.WSMsgType.TEXT:
                await c.send_str(m.data)
            elif m.type == aiohttp.WSMsgType.BINARY:
                await c.send_bytes(m.data)

    async def serve(self, port):
        from aiohttp import web

        async def handle(request):
            c = web.WebSocketResponse(max_msg_size=MAX_MESSAGE)
            await c.prepare(request)
            await self.echo(c)
            return c

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Future()

    async def dial(self, url, echo):
        import aiohttp

        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url, timeout=10, max_msg_size=MAX_MESSAGE, compress=15) as c:
                return await (self.echo(c) if echo else c.receive_str())


LIBRARIES = {"websockets": Websockets, "tornado": Tornado, "aiohttp": Aiohttp}


async def play(library, url, agent, parallel):
    """Play every case, and then have the tester write its reports."""
    count = int(await library.dial(url + "/getCaseCount", echo=False))
    cases = iter(range(1, count + 1))

    async def worker():
        for n in cases:
            try:
                case = library.dial(f"{url}/runCase?case={n}&agent={agent}", echo=True)
                await asyncio.wait_for(case, CASE_TIME)
            except Exception:  # how a case ends is the tester's to judge
                pass

    await asyncio.gather(*(worker() for _ in range(parallel)))
    try:
        await library.dial(f"{url}/updateReports?agent={agent}", echo=True)
    except Exception:
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lib", required=True, choices=LIBRARIES)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--listen", type=int, metavar="PORT")
    parser.add_argument("--url")
    parser.add_argument("--agent")
    parser.add_argument("--parallel", type=int, default=8)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    library = LIBRARIES[args.lib]()
    if args.version:
        print(f"{args.lib} {importlib.metadata.version(args.lib)} on Python {platform.python_version()}")
    elif args.listen:
        asyncio.run(library.serve(args.listen))
    elif args.url:
        asyncio.run(play(library, args.url, urllib.parse.quote(args.agent or args.lib), args.parallel))
    else:
        parser.error("it needs --listen, --url or --version")


main()
