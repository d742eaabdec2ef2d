package wstest

import (
	"fmt"
	"strings"

	"github.com/isosocket/isosocket/ws"
)

func agreementCases() []Case {
	return []Case{
		{
			ID:      "P46",
			Event:   "the handshake agrees on compression, and some messages are sent with NoCompression",
			Outcome: "Extensions names what was agreed on; the messages arrive unchanged, in order",
			Why:     "RFC 7692, section 6: the sender chooses for each message; a browser chooses by itself, which the receiver does not notice",
			Want: []Expectation{
				same("Extensions, if the server agrees to none", "none"),
				same("Extensions", "permessage-deflate"),
				same("messages with and without NoCompression", "unchanged, in order"),
				same("the same, prepared", "unchanged, in order"),
				same("NoCompression of what arrives", "false"),
			},
			run: runAgreedCompression,
		},
	}
}

func runAgreedCompression(r *row) {
	conn := r.dial(&Options{Compression: &ws.Compression{}}, "/echo")
	r.see("Extensions, if the server agrees to none", extensionsOf(conn))
	if !r.target.Server.Library {
		for _, key := range []string{"Extensions", "messages with and without NoCompression", "the same, prepared", "NoCompression of what arrives"} {
			r.see(key, notRun+"the server has no library endpoints")
		}
		return
	}
	conn = r.dial(&Options{Compression: &ws.Compression{ContextTakeover: true, Threshold: 1}}, "/library/echo", "compress", 1)
	r.see("Extensions", extensionsOf(conn))
	var all []ws.Message
	for i := range 12 {
		m := ws.Text(strings.Repeat("compressed or not; ", 1+100*(i%4)))
		m.NoCompression = i%3 != 0
		all = append(all, m)
	}
	r.see("messages with and without NoCompression", r.echoAll(conn, all))
	sent := make(chan error, 1)
	go func() {
		for _, m := range all {
			if err := conn.SendPrepared(r.ctx, ws.Prepare(m)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got := r.receiveAll(conn, all)
	if err := <-sent; err != nil {
		got = "SendPrepared: " + Describe(err)
	}
	r.see("the same, prepared", got)
	m := ws.Text("as it is")
	m.NoCompression = true
	if err := conn.Send(r.ctx, m); err != nil {
		r.see("NoCompression of what arrives", "Send: "+Describe(err))
		return
	}
	back, err := conn.Receive(r.ctx)
	if err != nil {
		r.see("NoCompression of what arrives", "Receive: "+Describe(err))
		return
	}
	r.see("NoCompression of what arrives", fmt.Sprint(back.NoCompression))
}

// extensionsOf returns the names of the extensions that were agreed on.
func extensionsOf(conn *ws.Conn) string {
	var names []string
	for extension := range strings.SplitSeq(conn.Extensions(), ",") {
		name, _, _ := strings.Cut(extension, ";")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
