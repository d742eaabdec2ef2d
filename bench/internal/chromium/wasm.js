"use strict";
(async () => {
	const args = await (await fetch("/args")).json();
	const go = new Go();
	go.argv = ["client", ...args];
	const { instance } = await WebAssembly.instantiateStreaming(fetch("/client.wasm"), go.importObject);
	await go.run(instance);
	failed("the program ended without a result"); // only counts if there is none
})();
