package rfc6455

import (
	"reflect"
	"strings"
	"testing"
)

func TestOffer(t *testing.T) {
	tests := []struct {
		params DeflateParams
		want   string
	}{
		{DeflateParams{}, "permessage-deflate; client_max_window_bits"},
		{DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, "permessage-deflate; client_max_window_bits"},
		{DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"},
		{DeflateParams{ServerMaxWindowBits: 8, ClientMaxWindowBits: 10}, "permessage-deflate; server_max_window_bits=8; client_max_window_bits=10"},
		{DeflateParams{ServerMaxWindowBits: 7, ClientMaxWindowBits: 16}, "permessage-deflate; client_max_window_bits"},
	}
	for _, test := range tests {
		if got := Offer(test.params); got != test.want {
			t.Errorf("Offer(%+v) is %q, want %q", test.params, got, test.want)
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
			params, response := AcceptOffer(test.header, test.want)
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
		{"no context takeover not granted", []string{"permessage-deflate"}, &DeflateParams{ServerNoContextTakeover: true}, nil, "server_no_context_takeover was asked for and is missing"},
		{"window of the server not granted", []string{"permessage-deflate"}, &DeflateParams{ServerMaxWindowBits: 10}, nil, "server_max_window_bits=10 was asked for and is missing"},
		{"window of the server exceeded", []string{"permessage-deflate; server_max_window_bits=11"}, &DeflateParams{ServerMaxWindowBits: 10}, nil, "exceeds the 10"},
		{"window of the client exceeded", []string{"permessage-deflate; client_max_window_bits=11"}, &DeflateParams{ClientMaxWindowBits: 10}, nil, "exceeds the 10"},
		{"garbage", []string{"permessage-deflate; ="}, &DeflateParams{}, nil, "the name of a parameter of permessage-deflate is expected"},
		{"no name", []string{"="}, &DeflateParams{}, nil, "the name of an extension is expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := AcceptResponse(test.header, test.offered)
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

// TestNegotiate: whatever a client offers and a server likes, both agree on the same.
func TestNegotiate(t *testing.T) {
	var all []DeflateParams
	for _, bits := range []int{0, 8, 12, 15} {
		for _, more := range []int{0, 9, 15} {
			for flags := range 4 {
				all = append(all, DeflateParams{flags&1 != 0, flags&2 != 0, bits, more})
			}
		}
	}
	for _, offered := range all {
		for _, want := range all {
			server, response := AcceptOffer([]string{Offer(offered)}, want)
			client, err := AcceptResponse([]string{response}, &offered)
			if err != nil || server == nil || !reflect.DeepEqual(client, server) {
				t.Fatalf("the client offers %+v, the server likes %+v: it has %+v, the client %+v, %v", offered, want, server, client, err)
			}
		}
	}
}

func FuzzExtensions(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", `foo; a="b\"c", bar;x=y`, ",,a;b=c,", "a;b=\"", "permessage-deflate;server_max_window_bits=10;server_no_context_takeover", "a b", ";", "\x00",
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

		params, response := AcceptOffer([]string{line}, DeflateParams{})
		if (params == nil) != (response == "") {
			t.Errorf("%q: %+v with the response %q", line, params, response)
		}
		if params != nil {
			offered := DeflateParams{ClientMaxWindowBits: params.ClientMaxWindowBits, ServerMaxWindowBits: 15}
			if client, err := AcceptResponse([]string{response}, &offered); err != nil || !reflect.DeepEqual(client, params) {
				t.Errorf("%q: the server has %+v, the client %+v, %v", line, params, client, err)
			}
		}
		AcceptResponse([]string{line}, &DeflateParams{})
	})
}
