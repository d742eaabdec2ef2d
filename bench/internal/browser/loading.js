"use strict";
(async () => {
	const how = await (await fetch("/how")).json();
	const load = async () => {
		const began = performance.now();
		const response = fetch("/client.wasm");
		const imports = new Go().importObject;
		if (how.streaming) {
			await WebAssembly.instantiateStreaming(response, imports);
		} else {
			await WebAssembly.instantiate(await (await response).arrayBuffer(), imports);
		}
		return performance.now() - began;
	};
	const first = await load();
	await new Promise((resolve) => setTimeout(resolve, 500)); // a browser stores compiled code a little later
	await post({ first, again: await load() });
})();
