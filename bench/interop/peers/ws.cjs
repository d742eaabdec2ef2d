// The echo of the npm package ws: "server", or "client URL COUNT".
const { WebSocket, WebSocketServer } = require('ws');

function echo(socket) {
	socket.on('message', (data, isBinary) => {
		const command = !isBinary && data.length < 100 && /^close (\d+) (\w+)$/.exec(data.toString());
		if (command) {
			socket.close(Number(command[1]), command[2]);
		} else {
			socket.send(data, { binary: isBinary });
		}
	});
	return new Promise((resolve) => {
		socket.on('close', resolve);
		socket.on('error', (error) => console.error(String(error)));
	});
}

async function main() {
	const perMessageDeflate = { threshold: 1 };
	if (process.argv[2] === 'server') {
		const server = new WebSocketServer({
			host: '127.0.0.1', port: 0, perMessageDeflate, handleProtocols: (names) => (names.has('echo.v1') ? 'echo.v1' : false),
		});
		server.on('connection', echo);
		server.on('listening', () => console.log(server.address().port));
		return;
	}
	for (let i = 0; i < Number(process.argv[4]); i++) {
		await echo(new WebSocket(`${process.argv[3]}/?i=${i}`, ['echo.v1'], { perMessageDeflate: { threshold: 1 } }));
	}
}

main();
