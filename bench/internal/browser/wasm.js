"use strict";
(async () => {
	const args = await (await fetch("/args")).json();
	const go = new Go();
	go.argv = ["client", ...args];
	const { instance } = await WebAssembly.instantiateStreaming(fetch("/client.wasm"), go.importObject);
	const printed = []; // a Go program prints its panics with console.log
	console.log = line => { if (printed.length < 4) printed.push(line); };
	await go.run(instance);
	failed("the program ended without a result: " + printed.join(" | ")); // only counts if there is none
})();
