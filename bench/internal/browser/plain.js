"use strict";
// What the WebAssembly clients do, as one writes it in JavaScript by hand.
(async () => {
	const [url, ...numbers] = await (await fetch("/args")).json();
	const [size, depth, burst, warmup, duration] = numbers.map(Number);
	const payload = Uint8Array.from({ length: size }, (_, i) => i);
	const socket = new WebSocket(url);
	socket.binaryType = "arraybuffer";
	const send = n => { for (let i = 0; i < n; i++) socket.send(payload); };

	let measuring = false, messages = 0, pending = depth, start = 0;
	socket.onopen = () => { start = performance.now(); send(depth); };
	socket.onclose = e => failed("closed with " + e.code);
	socket.onmessage = ({ data }) => {
		const bytes = new Uint8Array(data);
		if (bytes.length !== size || bytes[size - 1] !== (size - 1) % 256) {
			failed("received " + bytes.length + " bytes");
			socket.onmessage = null;
			return;
		}
		messages++;
		const boundary = !burst || --pending === 0;
		if (boundary) {
			const took = performance.now() - start;
			if (!measuring && took >= warmup) {
				measuring = true;
				messages = 0;
				start = performance.now();
			} else if (measuring && took >= duration) {
				socket.onmessage = socket.onclose = null;
				finished(messages, took);
				return;
			}
			pending = depth;
			send(burst ? depth : 1);
		}
	};
})();
