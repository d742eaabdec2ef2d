// Package jsontext writes and reads the JSON with which many messages cross
// between Go and a browser's JavaScript at once.
//
// A call from Go into JavaScript costs a microsecond or two whatever it
// carries, and a batch of small messages is little work: so the browser
// backend turns a batch into one string with JSON.stringify, or out of one
// with JSON.parse, and this package does Go's half. It reads only what
// JSON.stringify writes for an array of MessageEvents with the property list
// data, byteLength:
//
//	[{"data":"some text"},{"data":{"byteLength":64}}]
//
// and leaves the text where it is until it is asked for. encoding/json would
// be several times slower and add 300 KB to every client.
package jsontext
