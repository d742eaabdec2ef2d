// An echo client with the WebSocket of WHATWG: that of Node.js, Deno and Bun, or with UNDICI set, of the
// npm package undici. "client URL COUNT".
const [, , , url, count] = process.argv;
const Socket = process.env.UNDICI ? (await import('undici')).WebSocket : WebSocket;

for (let i = 0; i < Number(count); i++) {
	const socket = new Socket(`${url}/?i=${i}`, 'echo.v1');
	socket.binaryType = 'arraybuffer';
	socket.addEventListener('message', ({ data }) => {
		const command = typeof data === 'string' && data.length < 100 && /^close (\d+) (\w+)$/.exec(data);
		if (command) {
			socket.close(Number(command[1]), command[2]);
		} else {
			socket.send(data);
		}
	});
	await new Promise((resolve) => {
		socket.addEventListener('close', resolve);
		socket.addEventListener('error', (event) => console.error(event.message ?? 'error'));
	});
}
process.exit(0);
