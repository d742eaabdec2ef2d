// Starts the wasm client, or says in a sentence why it cannot.
"use strict";

(async () => {
	const notice = document.getElementById("notice");
	const status = document.getElementById("status");

	const give = (sentence) => {
		notice.textContent = sentence;
		notice.hidden = false;
		status.dataset.phase = "unavailable";
		document.getElementById("status-headline").textContent = "Not running";
		document.getElementById("log-empty").textContent = "The chat is not running.";
		for (const form of document.forms) {
			form.inert = true;
		}
	};

	if (document.body.dataset.client !== "built") {
		return; // the page says it already
	}
	if (typeof WebSocket !== "function") {
		return give("This browser has no WebSocket, which the chat is about; any browser of the last ten years has.");
	}
	if (typeof WebAssembly !== "object") {
		return give("This browser has no WebAssembly, or it is turned off; the chat's client is a WebAssembly program.");
	}
	try {
		const go = new Go();
		const response = await fetch("client.wasm");
		if (!response.ok) {
			return give(await response.text());
		}
		const { instance } = await WebAssembly.instantiateStreaming(response, go.importObject);
		await go.run(instance);
		give("The client has ended; reload the page to start it again.");
	} catch (error) {
		give(`The client could not start: ${error.message || error}. Reload the page to try again.`);
		console.error(error);
	}
})();
