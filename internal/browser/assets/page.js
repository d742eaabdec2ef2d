"use strict";

(async () => {
	// The binding that the Go side added to this page.
	const report = (message) => globalThis.reportToGo(JSON.stringify(message));
	globalThis.reportUncaught(report);
	try {
		const config = await (await fetch("config.json")).json();
		if (!config.worker) {
			await globalThis.runGoTest(config, report);
			return;
		}
		const worker = new Worker("worker.js");
		worker.onmessage = (event) => report(event.data);
		worker.onerror = (event) => {
			event.preventDefault(); // it is reported here; the page's own console would have it twice
			report({ type: "error", text: "uncaught in the worker: " + event.message });
		};
		worker.postMessage(config);
	} catch (err) {
		report({ type: "error", text: String(err?.stack ?? err) });
	}
})();
