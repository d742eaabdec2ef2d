"use strict";

const report = (message) => postMessage(message);

// The console of a worker is not the page's: hand on what is written to it.
for (const level of ["debug", "log", "info", "warn", "error"]) {
	const write = console[level].bind(console);
	console[level] = (...values) => {
		write(...values);
		report({ type: "console", level, text: values.map(String).join(" ") });
	};
}

importScripts("memoryfs.js", "wasm_exec.js", "run.js");
globalThis.reportUncaught(report);
onmessage = (event) => globalThis.runGoTest(event.data, report);
