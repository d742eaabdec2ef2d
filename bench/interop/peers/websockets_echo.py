"""The echo of the Python package websockets: "server", or "client URL COUNT"."""

import asyncio
import re
import sys

import websockets


async def echo(connection, *_):
    try:
        async for message in connection:
            command = isinstance(message, str) and len(message) < 100 and re.fullmatch(r"close (\d+) (\w+)", message)
            if command:
                await connection.close(int(command[1]), command[2])
            else:
                await connection.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    options = {"subprotocols": ["echo.v1"], "max_size": None}
    if sys.argv[1] == "server":
        server = await websockets.serve(echo, "127.0.0.1", 0, **options)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
    for i in range(int(sys.argv[3])):
        async with websockets.connect(f"{sys.argv[2]}/?i={i}", **options) as connection:
            await echo(connection)


asyncio.run(main())
