// Package wstest is the conformance suite of this library: one list of cases,
// run over an in-memory pipe, over TCP, and in a real browser, so that the same
// event has the same outcome everywhere. It is public, so that you can test your
// own transport, dialer or server against the same list.
//
// # Cases
//
// [Cases] returns the list. A [Case] names an event and the reason for
// its outcome, and lists the required observations as data: a key, and the value
// that a native target and a browser must each show. Almost always both are
// the same. Where they are not, the [Expectation] names the entry of
// [Differences] that allows it; that list documents the differences that a
// browser makes unavoidable. Where one engine differs from the others,
// the entry of [Quirks] names it, the reason, and the value that a case observes.
//
// # Running it
//
// A [Target] defines how to dial, and which server: the test server of the
// package ws/wstest/peer, which speaks raw bytes and shares no code with this
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
// [Run] runs each case as a subtest with its id as the name, so that -run
// selects rows, and fails it for every observation that is not the expected
// one. Cases that need a server of the library's own kind (how it reads close
// reasons, pings, subprotocols) go to the one that peer.Config.Accept brings:
// pass your server's, and the suite tests it as well.
//
// Target.Check may look for leaks after a case. This module's own runs
// fail each case that leaves a goroutine or an open socket and, in a page, in a
// worker and in Node, a callback that JavaScript could still call.
//
// Rows that cannot run on a target are named, with the reason, in Target.Skip.
// [PipeTarget] is the suite's own in-memory target.
//
// # Comparing runs
//
// Each case reports a [Result]. Run writes it into the test's log, from which
// [ParseResults] reads it back, whatever process or browser the test ran in.
// [Compare] puts runs side by side, a [Row] a case.
package wstest
