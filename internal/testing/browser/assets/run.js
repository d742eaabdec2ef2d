"use strict";

// Runs test.wasm in this page or worker and reports what it writes and how it ends:
// {type: "output", text}, then {type: "exit", code}; or {type: "error", text} if it cannot run. The
// files that it has left in config.keep come before the exit, as {type: "file", text, data}: the
// name and the contents in base64.
globalThis.runGoTest = async (config, report) => {
	// One decoder a stream, because a rune may be split over two writes.
	const decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
	const memory = globalThis.newMemoryFS(config.files, (fd, bytes) => {
		const text = decoders[fd].decode(bytes, { stream: true });
		if (text !== "") report({ type: "output", text });
	});
	globalThis.fs = memory.fs;
	globalThis.path = memory.path;
	globalThis.process = Object.assign({}, globalThis.process, { cwd: memory.cwd, chdir: memory.chdir });
	memory.chdir("/src");
	if (config.keep !== "") {
		memory.makeDirectories(config.keep);
		// go tool covdata ignores files of a process whose number is -1, as that of a page.
		globalThis.process.pid = 1 + Math.floor(Math.random() * 1e9);
	}
	const base64 = (bytes) => {
		let text = "";
		for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
		return btoa(text);
	};

	try {
		const go = new Go();
		go.argv = config.argv;
		go.env = config.env;
		go.exit = (code) => {
			globalThis.goExited = true;
			if (config.keep !== "") {
				for (const [path, bytes] of memory.files(config.keep)) report({ type: "file", text: path.slice(config.keep.length + 1), data: base64(bytes) });
			}
			report({ type: "exit", code });
		};
		const { instance } = await WebAssembly.instantiateStreaming(fetch("test.wasm"), go.importObject);
		// What the program holds, for its tests: bytes of its memory, and values of JavaScript.
		globalThis.goHolds = { memory: () => instance.exports.mem.buffer.byteLength, values: () => go._values.length - go._idPool.length };
		await go.run(instance);
	} catch (err) {
		report({ type: "error", text: String(err?.stack ?? err) });
	}
};

// reportUncaught reports every exception that nothing catches: nothing that runs here may throw one
// while the Go program runs, and after some of them (a wasm trap, say) it would never end.
globalThis.reportUncaught = (report) => {
	const uncaught = (value) => {
		if (!globalThis.goExited) report({ type: "error", text: "uncaught: " + String(value?.stack ?? value) });
	};
	addEventListener("error", (event) => uncaught(event.error ?? event.message));
	addEventListener("unhandledrejection", (event) => uncaught(event.reason));
};
