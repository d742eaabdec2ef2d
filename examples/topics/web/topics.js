// A client of topics for a page without Go: the subprotocol topics.isosocket.1, as in docs/topics-protocol.md.
// It sends no heartbeat: it notices a connection that fails without notice only when the browser does.
//
//   const topics = new Topics("wss://example.com/topics");
//   const lobby = topics.subscribe("lobby", { onmessage: (payload, m) => ..., ongap: (gap) => ... });
//   const position = await topics.publish("lobby", "hello");

const encoder = new TextEncoder(), decoder = new TextDecoder();
const wait = (failures) => Math.min(2 ** failures, 30) * 1000 * (1 + Math.random()) / 2;

// frame returns a message: a header of fields, and a payload, which is a string or a Uint8Array.
function frame(payload, ...fields) {
  const header = fields.map(encodeURIComponent).join(" ");
  if (typeof payload === "string") return payload ? header + "\n" + payload : header;
  const head = encoder.encode(header + "\n"), whole = new Uint8Array(head.length + payload.length);
  whole.set(head), whole.set(payload, head.length);
  return whole;
}

function parse(data) {
  const binary = typeof data !== "string", whole = binary ? new Uint8Array(data) : data;
  const end = whole.indexOf(binary ? 10 : "\n"), last = end < 0 ? whole.length : end;
  const header = binary ? decoder.decode(whole.subarray(0, last)) : whole.slice(0, last);
  return { fields: header.split(" ").map(decodeURIComponent), payload: whole.slice(last + 1) };
}

export class Topics {
  #url; #socket; #subscriptions = new Map(); #publications = new Set(); #failures = 0; #closed = false;
  #number = 0; #answers; #stale; #watches; // of the current connection
  onstate = () => {}; // is called with true or false, and the CloseEvent

  constructor(url) { this.#url = url; this.#connect(); }

  // subscribe calls onmessage(payload, {topic, position, key}), ongap({after, until}), onpresence(Map of key to
  // info) and, when the server ends or refuses the subscription, onend(code, text). since is a stored position,
  // "*" for the oldest message, or "" for new ones.
  subscribe(topic, { since = "", ...handlers } = {}) {
    if (this.#subscriptions.has(topic)) throw new Error("already subscribed to " + topic);
    const s = { topic, position: since, failures: 0, ...handlers };
    s.leave = () => {
      if (this.#subscriptions.get(topic) !== s) return;
      this.#subscriptions.delete(topic);
      const old = (change) => this.#stale.set(topic, (this.#stale.get(topic) ?? 0) + change);
      if (this.#request("", () => old(-1), "leave", topic)) old(1);
    };
    this.#subscriptions.set(topic, s);
    this.#begin(s);
    return s;
  }

  // publish resolves with the position, or rejects with the server's reason.
  publish(topic, payload, key = "") {
    const id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
    return new Promise((resolve, reject) => this.#send({ topic, payload, key, id, resolve, reject, failures: 0 }));
  }

  close(code = 1000) { this.#closed = true; this.#socket.close(code); }

  #connect() {
    const socket = this.#socket = new WebSocket(this.#url, "topics.isosocket.1");
    socket.binaryType = "arraybuffer";
    this.#answers = new Map(), this.#stale = new Map(), this.#watches = new Map();
    socket.onopen = () => {
      this.#failures = 0;
      for (const s of this.#subscriptions.values()) this.#begin(s);
      for (const p of this.#publications) this.#send(p);
      this.onstate(true);
    };
    socket.onmessage = (event) => this.#take(parse(event.data));
    socket.onclose = (event) => {
      const broken = event.code === 1008 && event.reason !== "Ping/Pong timeout"; // the rules of the protocol
      const final = broken || event.code === 1000 || event.code >= 4000 && event.code !== 4401;
      if (!this.#closed && !final) setTimeout(() => this.#connect(), wait(this.#failures++));
      else for (const p of this.#publications) p.reject(new Error("closed: " + event.code));
      this.onstate(false, event);
    };
  }

  #request(payload, then, verb, ...fields) {
    if (this.#socket.readyState !== WebSocket.OPEN) return; // onopen sends it
    const number = (++this.#number).toString(36);
    this.#answers.set(number, then);
    this.#socket.send(frame(payload, verb, number, ...fields));
    return number;
  }

  // #again repeats a request that was refused for now, unless the connection is another then.
  #again(of, request) {
    const socket = this.#socket;
    setTimeout(() => socket === this.#socket && request(), wait(++of.failures));
  }

  #begin(s) {
    s.number = this.#request("", (ok, at, text) => {
      if (this.#subscriptions.get(s.topic) !== s) return;
      if (!ok && (at === "rate" || at === "failed")) return this.#again(s, () => this.#subscriptions.get(s.topic) === s && this.#begin(s));
      if (!ok) return this.#end(s, at, text);
      s.failures = 0;
      if (s.position === "" || s.position === "*") s.position = at || s.position;
      if (s.onpresence) this.#watch(s);
    }, "sub", s.topic, s.position);
  }

  #watch(s) {
    const number = this.#request("", (ok, code) => ok || this.#unwatched(number, code), "watch", s.topic);
    if (number) this.#watches.set(number, { s, here: new Map(), all: false });
  }

  #unwatched(number, code) {
    const s = this.#watches.get(number).s;
    this.#watches.delete(number);
    if (code === "rate" || code === "failed") this.#again(s, () => this.#subscriptions.get(s.topic) === s && this.#watch(s));
  }

  #send(p) {
    this.#publications.add(p);
    this.#request(p.payload, (ok, at, text) => {
      if (!ok && at === "rate") return this.#again(p, () => this.#send(p));
      this.#publications.delete(p);
      ok ? p.resolve(at) : p.reject(new Error(at + ": " + text));
    }, "pub", p.topic, p.id, p.key);
  }

  #end(s, code, text) { this.#subscriptions.delete(s.topic); s.onend?.(code, text); }

  #take({ fields: [verb, first, second = "", third = ""], payload }) {
    const s = this.#stale.get(first) ? undefined : this.#subscriptions.get(first), w = this.#watches.get(first);
    switch (verb) {
      case "ok": case "no": {
        const then = this.#answers.get(first);
        this.#answers.delete(first);
        if (then) then(verb === "ok", second, payload);
        else if (w && verb === "no") this.#unwatched(first, second);
        break;
      }
      case "msg": if (s) { s.position = second; s.onmessage?.(payload, { topic: first, position: second, key: third }); } break;
      case "gap": if (s) { s.position = third || second; s.ongap?.({ after: second, until: third }); } break;
      case "end": if (s && s.number === second) this.#end(s, third, payload); break;
      case "here": case "gone": case "all":
        if (!w) break;
        if (verb === "here") w.here.set(second, payload);
        if (verb === "gone") w.here.delete(second);
        w.all ||= verb === "all";
        if (w.all) w.s.onpresence(w.here);
    }
  }
}
