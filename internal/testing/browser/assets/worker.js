"use strict";

// A worker of each kind: a dedicated one reports with postMessage, the others through the port that they get.
let port = typeof globalThis.postMessage === "function" ? globalThis : undefined;
let early = []; // what was reported before there was a port
const report = (message) => {
	if (port !== undefined) port.postMessage(message);
	else early.push(message);
};
const connect = (to) => {
	port = to;
	for (const message of early.splice(0)) report(message);
};

// The console of a worker is not the page's: hand on what is written to it.
for (const level of ["debug", "log", "info", "warn", "error"]) {
	const write = console[level].bind(console);
	console[level] = (...values) => {
		write(...values);
		report({ type: "console", level: "worker " + level, text: values.map(String).join(" ") });
	};
}

importScripts("memoryfs.js", "wasm_exec.js", "run.js");
globalThis.reportUncaught(report);
const run = (config) => globalThis.runGoTest(config, report);
if (typeof globalThis.registration === "object") {
	onmessage = (event) => {
		if (event.ports.length === 0) return; // it asks to live on
		connect(event.ports[0]);
		event.waitUntil(run(event.data));
	};
} else if ("onconnect" in globalThis) {
	onconnect = (event) => {
		connect(event.ports[0]);
		port.onmessage = (event) => run(event.data);
	};
} else {
	onmessage = (event) => run(event.data);
}
