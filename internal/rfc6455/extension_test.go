package rfc6455

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestOffer(t *testing.T) {
	const plain = ", permessage-deflate; client_max_window_bits"
	tests := []struct {
		params DeflateParams
		strict bool
		want   string
	}{
		{DeflateParams{}, false, "permessage-deflate; client_max_window_bits"},
		{DeflateParams{}, true, "permessage-deflate; client_max_window_bits"},
		{DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, false, "permessage-deflate; client_max_window_bits"},
		{DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true}, false, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits" + plain},
		{DeflateParams{ServerMaxWindowBits: 8, ClientMaxWindowBits: 10}, false, "permessage-deflate; server_max_window_bits=8; client_max_window_bits=10" + plain},
		{DeflateParams{ServerMaxWindowBits: 8, ClientMaxWindowBits: 10}, true, "permessage-deflate; server_max_window_bits=8; client_max_window_bits=10"},
		{DeflateParams{ServerNoContextTakeover: true, ServerMaxWindowBits: 8, ClientMaxWindowBits: 10}, true,
			"permessage-deflate; server_no_context_takeover; server_max_window_bits=8; client_max_window_bits=10, permessage-deflate; server_max_window_bits=8; client_max_window_bits=10"},
		{DeflateParams{ServerMaxWindowBits: 7, ClientMaxWindowBits: 16}, false, "permessage-deflate; client_max_window_bits"},
	}
	for _, test := range tests {
		if got := Offer(test.params, test.strict); got != test.want {
			t.Errorf("Offer(%+v, %v) is %q, want %q", test.params, test.strict, got, test.want)
		}
	}
}

func TestAcceptOffer(t *testing.T) {
	all := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	tests := []struct {
		name     string
		header   []string
		want     DeflateParams // what the server would like
		params   *DeflateParams
		response string
	}{
		{"nothing offered", nil, DeflateParams{}, nil, ""},
		{"empty header", []string{""}, DeflateParams{}, nil, ""},
		{"another extension", []string{"x-webkit-deflate-frame"}, DeflateParams{}, nil, ""},
		{"plain", []string{"permessage-deflate"}, DeflateParams{}, all, "permessage-deflate"},
		{"a browser's", []string{"permessage-deflate; client_max_window_bits"}, DeflateParams{}, all, "permessage-deflate"},
		{"after another extension", []string{"foo; bar=\"x\", permessage-deflate"}, DeflateParams{}, all, "permessage-deflate"},
		{"on the second line", []string{"foo", " permessage-deflate "}, DeflateParams{}, all, "permessage-deflate"},
		{"behind a line that cannot be parsed", []string{"foo;;", "permessage-deflate"}, DeflateParams{}, all, "permessage-deflate"},
		{"before what cannot be parsed", []string{"permessage-deflate, foo;;"}, DeflateParams{}, all, "permessage-deflate"},
		{"empty elements", []string{" ,, permessage-deflate ,"}, DeflateParams{}, all, "permessage-deflate"},
		{"no context takeover for the server", []string{"permessage-deflate; server_no_context_takeover"}, DeflateParams{},
			&DeflateParams{ServerNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, "permessage-deflate; server_no_context_takeover"},
		{"no context takeover for the client", []string{"permessage-deflate;client_no_context_takeover"}, DeflateParams{},
			&DeflateParams{ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, "permessage-deflate; client_no_context_takeover"},
		{"no context takeover by the server's wish", []string{"permessage-deflate"}, DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true},
			&DeflateParams{ServerNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, "permessage-deflate; server_no_context_takeover"},
		{"no context takeover by the wish of both", []string{"permessage-deflate; client_no_context_takeover"}, DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true},
			&DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"window of the server", []string{"permessage-deflate; server_max_window_bits=10"}, DeflateParams{},
			&DeflateParams{ServerMaxWindowBits: 10, ClientMaxWindowBits: 15}, "permessage-deflate; server_max_window_bits=10"},
		{"window of the server, smaller by its wish", []string{"permessage-deflate; server_max_window_bits=10"}, DeflateParams{ServerMaxWindowBits: 9},
			&DeflateParams{ServerMaxWindowBits: 9, ClientMaxWindowBits: 15}, "permessage-deflate; server_max_window_bits=9"},
		{"window of the server of 8 bits", []string{"permessage-deflate; server_max_window_bits=8"}, DeflateParams{},
			&DeflateParams{ServerMaxWindowBits: 8, ClientMaxWindowBits: 15}, "permessage-deflate; server_max_window_bits=8"},
		{"window of the server of 15 bits", []string{"permessage-deflate; server_max_window_bits=15"}, DeflateParams{},
			all, "permessage-deflate; server_max_window_bits=15"},
		{"window of the client, by the server's wish", []string{"permessage-deflate; client_max_window_bits"}, DeflateParams{ClientMaxWindowBits: 11},
			&DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 11}, "permessage-deflate; client_max_window_bits=11"},
		{"window of the client, which cannot be asked", []string{"permessage-deflate"}, DeflateParams{ClientMaxWindowBits: 11}, all, "permessage-deflate"},
		{"window of the client, by its hint", []string{"permessage-deflate; client_max_window_bits=9"}, DeflateParams{ClientMaxWindowBits: 11},
			&DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 9}, "permessage-deflate; client_max_window_bits=9"},
		{"quoted value", []string{`permessage-deflate; server_max_window_bits="10"`}, DeflateParams{},
			&DeflateParams{ServerMaxWindowBits: 10, ClientMaxWindowBits: 15}, "permessage-deflate; server_max_window_bits=10"},
		{"quoted value with an escape", []string{`permessage-deflate; server_max_window_bits="1\0"`}, DeflateParams{},
			&DeflateParams{ServerMaxWindowBits: 10, ClientMaxWindowBits: 15}, "permessage-deflate; server_max_window_bits=10"},
		{"the second offer when the first is unknown", []string{"permessage-deflate; use_bzip2, permessage-deflate"}, DeflateParams{}, all, "permessage-deflate"},
		{"the first of two", []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, DeflateParams{},
			&DeflateParams{ServerMaxWindowBits: 10, ClientMaxWindowBits: 15}, "permessage-deflate; server_max_window_bits=10"},
		{"unknown parameter", []string{"permessage-deflate; foo"}, DeflateParams{}, nil, ""},
		{"doubled parameter", []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, DeflateParams{}, nil, ""},
		{"value where none belongs", []string{"permessage-deflate; server_no_context_takeover=true"}, DeflateParams{}, nil, ""},
		{"window of the server without a value", []string{"permessage-deflate; server_max_window_bits"}, DeflateParams{}, nil, ""},
		{"window of 7 bits", []string{"permessage-deflate; server_max_window_bits=7"}, DeflateParams{}, nil, ""},
		{"window of 16 bits", []string{"permessage-deflate; client_max_window_bits=16"}, DeflateParams{}, nil, ""},
		{"leading zero", []string{"permessage-deflate; server_max_window_bits=08"}, DeflateParams{}, nil, ""},
		{"empty quoted value", []string{`permessage-deflate; server_max_window_bits=""`}, DeflateParams{}, nil, ""},
		{"quote that does not end", []string{`permessage-deflate; server_max_window_bits="10`}, DeflateParams{}, nil, ""},
		{"no value behind the equals sign", []string{"permessage-deflate; server_max_window_bits="}, DeflateParams{}, nil, ""},
		{"no comma", []string{"permessage-deflate permessage-deflate"}, DeflateParams{}, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			params, response := AcceptOffer(test.header, test.want, false)
			if !reflect.DeepEqual(params, test.params) || response != test.response {
				t.Errorf("got %+v, %q; want %+v, %q", params, response, test.params, test.response)
			}
		})
	}
}

func TestAcceptResponse(t *testing.T) {
	tests := []struct {
		name    string
		header  []string
		offered *DeflateParams
		want    *DeflateParams
		err     string // part of the error's text
	}{
		{"declined", nil, &DeflateParams{}, nil, ""},
		{"nothing offered, nothing chosen", nil, nil, nil, ""},
		{"plain", []string{"permessage-deflate"}, &DeflateParams{}, &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, ""},
		{"everything", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8"}, &DeflateParams{},
			&DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 9, ClientMaxWindowBits: 8}, ""},
		{"asked for and granted", []string{"permessage-deflate; server_no_context_takeover; server_max_window_bits=9"}, &DeflateParams{ServerNoContextTakeover: true, ServerMaxWindowBits: 10},
			&DeflateParams{ServerNoContextTakeover: true, ServerMaxWindowBits: 9, ClientMaxWindowBits: 15}, ""},
		{"no context takeover not granted", []string{"permessage-deflate"}, &DeflateParams{ServerNoContextTakeover: true},
			&DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, ""},
		{"window of the server not granted", []string{"permessage-deflate"}, &DeflateParams{ServerMaxWindowBits: 10},
			&DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, ""},
		{"window of the server exceeded", []string{"permessage-deflate; server_max_window_bits=11"}, &DeflateParams{ServerMaxWindowBits: 10},
			&DeflateParams{ServerMaxWindowBits: 11, ClientMaxWindowBits: 15}, ""},
		{"window of the client exceeded", []string{"permessage-deflate; client_max_window_bits=11"}, &DeflateParams{ClientMaxWindowBits: 10},
			&DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 10}, ""},
		{"own wishes stay", []string{"permessage-deflate"}, &DeflateParams{ClientNoContextTakeover: true, ClientMaxWindowBits: 10},
			&DeflateParams{ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 10}, ""},
		{"nothing offered", []string{"permessage-deflate"}, nil, nil, `"permessage-deflate", which was not offered`},
		{"another extension", []string{"permessage-foo"}, &DeflateParams{}, nil, `"permessage-foo", which was not offered`},
		{"another extension beside it", []string{"permessage-deflate", "foo"}, &DeflateParams{}, nil, `"foo", which was not offered`},
		{"twice", []string{"permessage-deflate, permessage-deflate"}, &DeflateParams{}, nil, "twice"},
		{"twice on two lines", []string{"permessage-deflate", "permessage-deflate"}, &DeflateParams{}, nil, "twice"},
		{"unknown parameter", []string{"permessage-deflate; foo=1"}, &DeflateParams{}, nil, `"foo" is unknown`},
		{"doubled parameter", []string{"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"}, &DeflateParams{}, nil, "server_max_window_bits is given twice"},
		{"window of the client without a value", []string{"permessage-deflate; client_max_window_bits"}, &DeflateParams{}, nil, "client_max_window_bits has no value"},
		{"window out of range", []string{"permessage-deflate; server_max_window_bits=16"}, &DeflateParams{}, nil, `"16": it takes one from 8 to 15`},
		{"value where none belongs", []string{"permessage-deflate; client_no_context_takeover=1"}, &DeflateParams{}, nil, "it takes none"},
		{"garbage", []string{"permessage-deflate; ="}, &DeflateParams{}, nil, "the name of a parameter of permessage-deflate is expected"},
		{"no name", []string{"="}, &DeflateParams{}, nil, "the name of an extension is expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := AcceptResponse(test.header, test.offered, false)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %+v, %v; want an error about %q", got, err, test.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

// everyDeflateParams returns parameters with all flags and some windows.
func everyDeflateParams() (all []DeflateParams) {
	for _, bits := range []int{0, 8, 12, 15} {
		for _, more := range []int{0, 9, 15} {
			for flags := range 4 {
				all = append(all, DeflateParams{flags&1 != 0, flags&2 != 0, bits, more})
			}
		}
	}
	return all
}

// TestNegotiate: whatever a client offers and a server prefers, both agree on the same, and with
// strict neither lets the other use a larger window.
func TestNegotiate(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, offered := range everyDeflateParams() {
			for _, want := range everyDeflateParams() {
				server, response := AcceptOffer([]string{Offer(offered, strict)}, want, strict)
				client, err := AcceptResponse([]string{response}, &offered, strict)
				if err != nil || server == nil || !reflect.DeepEqual(client, server) {
					t.Fatalf("the client offers %+v, the server prefers %+v: it has %+v, the client %+v, %v", offered, want, server, client, err)
				}
				for _, bits := range []int{offered.ServerMaxWindowBits, want.ServerMaxWindowBits} {
					if server.ServerMaxWindowBits > windowBits(bits) {
						t.Fatalf("the client offers %+v, the server prefers %+v: the server's window is %d", offered, want, server.ServerMaxWindowBits)
					}
				}
			}
		}
	}
}

// TestStrictWindow: a bound that is insisted on costs the compression on a server, and the
// connection on a client, which cannot take the handshake back.
func TestStrictWindow(t *testing.T) {
	want := DeflateParams{ServerMaxWindowBits: 10, ClientMaxWindowBits: 10}
	for line, granted := range map[string]bool{
		"permessage-deflate":                                             false,
		"permessage-deflate; client_max_window_bits":                     true,
		"permessage-deflate; client_max_window_bits=15":                  true,
		"permessage-deflate, permessage-deflate; client_max_window_bits": true,
	} {
		params, _ := AcceptOffer([]string{line}, want, true)
		if (params != nil) != granted {
			t.Errorf("the offer %q is answered with %+v", line, params)
		}
		if params != nil && (params.ClientMaxWindowBits > 10 || params.ServerMaxWindowBits > 10) {
			t.Errorf("the offer %q is answered with %+v, over 10 bits", line, params)
		}
	}
	for line, ok := range map[string]bool{
		"permessage-deflate":                                                      false,
		"permessage-deflate; server_max_window_bits=11":                           false,
		"permessage-deflate; server_max_window_bits=10":                           true,
		"permessage-deflate; server_max_window_bits=9; client_max_window_bits=15": true,
	} {
		params, err := AcceptResponse([]string{line}, &want, true)
		if (err == nil) != ok {
			t.Errorf("the answer %q means %+v, %v", line, params, err)
		}
		if err != nil && !strings.Contains(err.Error(), "at most 10 is allowed") {
			t.Errorf("the answer %q is refused with %v", line, err)
		}
	}
}

// FuzzDeflateAnswer: whatever a server answers, and whatever parameters it then uses, the answer is
// an error or the messages of both sides inflate.
func FuzzDeflateAnswer(f *testing.F) {
	for _, answer := range []string{
		"", "permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
		"permessage-deflate; server_max_window_bits=9", "permessage-deflate; client_max_window_bits=8",
		"permessage-deflate; server_max_window_bits=15; client_max_window_bits=15", "permessage-deflate; client_no_context_takeover",
	} {
		for flags := range uint8(4) {
			f.Add(answer, flags, uint8(9), uint8(12))
		}
	}
	f.Fuzz(func(t *testing.T, answer string, flags, serverBits, clientBits uint8) {
		offered := DeflateParams{flags&1 != 0, flags&2 != 0, int(serverBits), int(clientBits)}
		client, err := AcceptResponse([]string{answer}, &offered, flags&4 != 0)
		if err != nil || client == nil {
			return
		}
		// What the server then does: exactly what its answer says, and nothing of what was
		// asked for.
		list, _ := parseExtensions(answer)
		server, err := deflateParams(list[0], false)
		if err != nil {
			t.Fatalf("%q is accepted, with %v", answer, err)
		}
		exchange(t, server, client)
	})
}

// FuzzDeflateOffer: whatever a client offers, it is declined, or messages of both sides inflate for
// a client that ignores what the answer requires beyond its offer.
func FuzzDeflateOffer(f *testing.F) {
	for _, offer := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", "permessage-deflate; client_no_context_takeover",
		"permessage-deflate; server_max_window_bits=9; client_max_window_bits=10", "permessage-deflate; server_no_context_takeover, permessage-deflate",
	} {
		for flags := range uint8(4) {
			f.Add(offer, flags, uint8(9), uint8(12))
		}
	}
	f.Fuzz(func(t *testing.T, offer string, flags, serverBits, clientBits uint8) {
		want := DeflateParams{flags&1 != 0, flags&2 != 0, int(serverBits), int(clientBits)}
		server, response := AcceptOffer([]string{offer}, want, flags&4 != 0)
		if server == nil {
			return
		}
		list, _ := parseExtensions(response)
		client, err := deflateParams(list[0], false)
		if err != nil {
			t.Fatalf("the offer %q is answered with %q: %v", offer, response, err)
		}
		if client.ClientNoContextTakeover && !strings.Contains(strings.ToLower(offer), clientNoContextTakeover) {
			t.Fatalf("the offer %q is answered with %q", offer, response)
		}
		exchange(t, server, client)
	})
}

// exchange sends messages both ways, each side by its own parameters.
func exchange(t *testing.T, server, client *DeflateParams) {
	t.Helper()
	text := strings.Repeat("all the messages resemble each other ", 300)
	policy := DeflatePolicy{Level: 1, Threshold: 1}
	for _, way := range []struct {
		from     Role
		deflate  *deflateState
		inflates *inflateState
	}{
		{Server, newDeflateState(Server, server, policy), newInflateState(Client, client)},
		{Client, newDeflateState(Client, client, policy), newInflateState(Server, server)},
	} {
		for i := range 4 {
			payload := []byte(text[i:] + strconv.Itoa(i))
			compressed, ok := way.deflate.message(nil, payload)
			if !ok {
				continue
			}
			got, failed := way.inflates.message(nil, compressed, 1<<20)
			if failed != nil || string(got) != string(payload) {
				t.Fatalf("message %d of the %v: %v (server %+v, client %+v)", i, way.from, failed, server, client)
			}
		}
		way.deflate.release()
	}
}

func FuzzExtensions(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", `foo; a="b\"c", bar;x=y`, ",,a;b=c,", "a;b=\"", `a;b="\`, `a;b="c\`, "permessage-deflate;server_max_window_bits=10;server_no_context_takeover", "a b", ";", "\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		list, err := parseExtensions(line)
		// What was understood means the same when it is written again.
		var again []string
		for _, e := range list {
			s := e.name
			for _, p := range e.params {
				s += ";" + p.name
				if p.hasValue {
					s += `="` + p.value + `"`
				}
			}
			again = append(again, s)
		}
		got, failed := parseExtensions(strings.Join(again, ", "))
		if failed != nil || !reflect.DeepEqual(got, list) {
			t.Errorf("%q is %+v and then %+v, %v", line, list, got, failed)
		}
		if err == nil {
			for _, c := range line {
				if c < ' ' && c != '\t' || c > '~' {
					t.Errorf("%q is let pass", line)
				}
			}
		}

		params, response := AcceptOffer([]string{line}, DeflateParams{}, false)
		if (params == nil) != (response == "") {
			t.Errorf("%q: %+v with the response %q", line, params, response)
		}
		if params != nil {
			offered := DeflateParams{ClientMaxWindowBits: params.ClientMaxWindowBits, ServerMaxWindowBits: 15}
			if client, err := AcceptResponse([]string{response}, &offered, false); err != nil || !reflect.DeepEqual(client, params) {
				t.Errorf("%q: the server has %+v, the client %+v, %v", line, params, client, err)
			}
		}
		AcceptResponse([]string{line}, &DeflateParams{}, false)
	})
}

// TestCheckExtensions: a value that does not follow the grammar is found in any of the lines.
func TestCheckExtensions(t *testing.T) {
	for _, test := range []struct {
		header []string
		wrong  string // part of the error; empty: none
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"a", "b; c=d, e"}, ""},
		{[]string{"a b"}, "a comma is expected"},
		{[]string{"a", "b;"}, "the name of a parameter of b is expected"},
		{[]string{"=", "a"}, "the name of an extension is expected"},
		{[]string{`a; b="c d"`}, "parameter b has no valid value"},
	} {
		if err := CheckExtensions(test.header); (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%q: %v, want %q", test.header, err, test.wrong)
		}
	}
}
