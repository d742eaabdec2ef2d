// The echo server of Bun.
const server = Bun.serve({
	hostname: '127.0.0.1',
	port: 0,
	fetch(request, server) {
		if (!server.upgrade(request, { headers: { 'Sec-WebSocket-Protocol': 'echo.v1' } })) {
			return new Response('a WebSocket is wanted', { status: 400 });
		}
	},
	websocket: {
		perMessageDeflate: true,
		maxPayloadLength: 4 << 20,
		message(socket, data) {
			const command = typeof data === 'string' && data.length < 100 && /^close (\d+) (\w+)$/.exec(data);
			if (command) {
				socket.close(Number(command[1]), command[2]);
			} else {
				socket.send(data, true);
			}
		},
	},
});
console.log(server.port);
