// The echo server of Deno.
Deno.serve({ hostname: '127.0.0.1', port: 0, onListen: ({ port }) => console.log(port) }, (request) => {
	const { socket, response } = Deno.upgradeWebSocket(request, { protocol: 'echo.v1' });
	socket.binaryType = 'arraybuffer';
	socket.onmessage = ({ data }) => {
		const command = typeof data === 'string' && data.length < 100 && /^close (\d+) (\w+)$/.exec(data);
		if (command) {
			socket.close(Number(command[1]), command[2]);
		} else {
			socket.send(data);
		}
	};
	return response;
});
