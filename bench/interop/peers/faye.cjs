// The echo of the npm package faye-websocket: "server", or "client URL COUNT". Without
// permessage-deflate, which is a package of its own.
const http = require('http');
const WebSocket = require('faye-websocket');

function echo(socket) {
	socket.on('message', ({ data }) => {
		const command = typeof data === 'string' && data.length < 100 && /^close (\d+) (\w+)$/.exec(data);
		if (command) {
			socket.close(Number(command[1]), command[2]);
		} else {
			socket.send(data);
		}
	});
	return new Promise((resolve) => socket.on('close', resolve));
}

async function main() {
	if (process.argv[2] === 'server') {
		const server = http.createServer();
		server.on('upgrade', (request, stream, head) => echo(new WebSocket(request, stream, head, ['echo.v1'])));
		server.listen(0, '127.0.0.1', () => console.log(server.address().port));
		return;
	}
	for (let i = 0; i < Number(process.argv[4]); i++) {
		await echo(new WebSocket.Client(`${process.argv[3]}/?i=${i}`, ['echo.v1']));
	}
}

main();
