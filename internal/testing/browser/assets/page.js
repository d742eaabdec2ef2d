"use strict";

(async () => {
	// The binding that the Go side added to this page or, where the engine has none, requests, one after the other.
	const binding = globalThis.reportToGo;
	let waiting = [];
	let sending = false;
	const send = async () => {
		sending = true;
		while (waiting.length > 0) {
			const body = JSON.stringify(waiting);
			waiting = [];
			await fetch("reports", { method: "POST", body });
		}
		sending = false;
	};
	const report = (message) => {
		if (binding !== undefined) {
			binding(JSON.stringify(message));
			return;
		}
		waiting.push(message);
		if (!sending) send();
	};
	if (binding === undefined) {
		for (const level of ["debug", "log", "info", "warn", "error"]) {
			const write = console[level].bind(console);
			console[level] = (...values) => {
				write(...values);
				report({ type: "console", level, text: values.map(String).join(" ") });
			};
		}
	}
	globalThis.reportUncaught(report);

	// listen makes what a worker reports the page's report.
	const listen = (worker, port) => {
		port.onmessage = (event) => report(event.data);
		worker.onerror = (event) => {
			event.preventDefault(); // it is reported here; the page's own console would have it twice
			report({ type: "error", text: "uncaught in the worker: " + event.message });
		};
	};
	try {
		const config = await (await fetch("config.json")).json();
		switch (config.where) {
		case "page": {
			await globalThis.runGoTest(config, report);
			return;
		}
		case "worker": {
			const worker = new Worker("worker.js");
			listen(worker, worker);
			worker.postMessage(config);
			return;
		}
		case "shared worker": {
			const worker = new SharedWorker("worker.js");
			listen(worker, worker.port);
			worker.port.postMessage(config);
			return;
		}
		case "service worker": {
			const registration = await navigator.serviceWorker.register("worker.js");
			const worker = registration.installing ?? registration.waiting ?? registration.active;
			const { port1, port2 } = new MessageChannel();
			listen(worker, port1);
			worker.postMessage(config, [port2]);
			// It lives as long as it has something to do.
			setInterval(() => worker.postMessage("go on"), 5_000);
			return;
		}
		}
		report({ type: "error", text: "tests cannot run in a " + config.where });
	} catch (err) {
		report({ type: "error", text: String(err?.stack ?? err) });
	}
})();
