// Package wstest is the conformance suite of this library: one list of cases that runs over an
// in-memory pipe, over TCP, and in a real browser. It checks that the same event has the same
// outcome everywhere. The package is public: you can run the list against your own transport,
// dialer or server.
//
// # Cases
//
// [Cases] returns the list. A [Case] names an event and the reason for its outcome, and lists
// the required observations as data: a key, and the value that a native target and a browser
// must each show. The two are almost always the same. Where they differ, the [Expectation] names
// the entry of [Differences] that allows it; that list documents the differences that a browser
// makes unavoidable. Where one engine differs from the others, an entry of [Quirks] names the
// engine, the reason, and the value that a case observes.
//
// # Running it
//
// A [Target] defines how to dial, and the addresses of the server: the test server of the
// package ws/wstest/peer, which writes frames byte by byte and shares no code with this
// library's protocol engine.
//
//	func TestConformance(t *testing.T) {
//		server, err := peer.Start(&peer.Config{})
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer server.Close()
//		wstest.Run(t, wstest.Target{
//			Name:   "mine",
//			Class:  wstest.Native,
//			Server: server.Addresses(),
//			Dial:   dialWithMyTransport, // returns ws.NewConn(myTransport, …)
//		})
//	}
//
// [Run] runs each case as a subtest named by its id, so -run selects cases, and fails it for
// every observation that differs from the expected one. Cases that need the server of a
// WebSocket library (for close reasons, pings, subprotocols) use the one that peer.Config.Accept
// provides. Pass your own server's Accept, and the suite tests it as well. To run the cases with a
// connection of your server as the one under test, let Dial return it, and peer.Server.Play be its
// client.
//
// Target.Check may look for leaks after a case. This module's own runs
// fail each case that leaves a goroutine or an open socket and, in a page, in a
// worker and in Node, a callback that JavaScript could still call.
//
// Target.Skip names the cases that cannot run on a target, with the reason. [PipeTarget] is the
// suite's own in-memory target.
//
// # Comparing runs
//
// Each case reports a [Result]. Run writes it to the test's log, and [ParseResults] reads it
// from the output, whichever process or browser the test ran in. [Compare] compares runs, with
// one [Row] for each case.
package wstest
