//go:build !js

package server

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	const proxy = "10.0.0.1:5000"
	for _, test := range []struct {
		name    string
		trusted string // separated by spaces
		header  string
		remote  string
		fields  []string // "name: value"
		want    string   // "" for none
	}{
		{"no proxy", "", "", "203.0.113.7:99", nil, "203.0.113.7"},
		{"without a port", "", "", "203.0.113.7", nil, "203.0.113.7"},
		{"IPv6 with a zone", "", "", "[fe80::1%eth0]:99", nil, "fe80::1"},
		{"IPv4 in IPv6", "", "", "[::ffff:203.0.113.7]:99", nil, "203.0.113.7"},
		{"a Unix socket", "", "", "@", []string{"X-Forwarded-For: 203.0.113.7"}, ""},
		{"a trusted Unix socket", "unix", "", "@", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{"a trusted Unix socket without the field", "unix", "", "@", nil, ""},
		{"not trusted", "10.0.0.2 192.168.0.0/16", "", proxy, []string{"X-Forwarded-For: 203.0.113.7"}, "10.0.0.1"},
		{"trusted", "10.0.0.1", "", proxy, []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{"trusted in IPv6 form", "10.0.0.0/8", "", "[::ffff:10.0.0.1]:1", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{"trusted without the field", "10.0.0.0/8", "", proxy, nil, "10.0.0.1"},
		{"an empty field", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: , ,"}, "10.0.0.1"},
		{"the client lies", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 127.0.0.1, 198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{"the client names a trusted proxy", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.9"}, "203.0.113.7"},
		{"several lines", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.0.0.9"}, "203.0.113.7"},
		{"proxies alone", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"no address after a proxy", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 203.0.113.7, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"with a port", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 203.0.113.7:1234"}, "203.0.113.7"},
		{"IPv6", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: 2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: [2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 with a port", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: [2001:db8::7]:80"}, "2001:db8::7"},
		{"IPv4 in brackets", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: [203.0.113.7]"}, "10.0.0.1"},
		{"an open bracket", "10.0.0.0/8", "", proxy, []string{"X-Forwarded-For: [2001:db8::7"}, "10.0.0.1"},
		{"the other field", "10.0.0.0/8", "", proxy, []string{"Forwarded: for=203.0.113.7"}, "10.0.0.1"},
		{"Forwarded", "10.0.0.0/8", "forwarded", proxy, []string{"Forwarded: for=203.0.113.7;proto=https;by=10.0.0.1", "X-Forwarded-For: 198.51.100.1"}, "203.0.113.7"},
		{"Forwarded with IPv6", "10.0.0.0/8", "Forwarded", proxy, []string{`Forwarded: For = "[2001:db8::7]:80"`}, "2001:db8::7"},
		{"Forwarded by two", "10.0.0.0/8", "Forwarded", proxy, []string{`Forwarded: for="_x", for=203.0.113.7;by=_y , proto=http;for="10.0.0.4"`}, "203.0.113.7"},
		{"Forwarded with a quote that stays open", "10.0.0.0/8", "Forwarded", proxy, []string{`Forwarded: for=", for=203.0.113.7`}, "203.0.113.7"},
		{"Forwarded with a name", "10.0.0.0/8", "Forwarded", proxy, []string{"Forwarded: for=203.0.113.7, for=_hidden"}, "10.0.0.1"},
		{"Forwarded twice for", "10.0.0.0/8", "Forwarded", proxy, []string{"Forwarded: for=203.0.113.7;for=198.51.100.1"}, "10.0.0.1"},
		{"Forwarded for nobody", "10.0.0.0/8", "Forwarded", proxy, []string{"Forwarded: proto=https"}, "10.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newProxies(strings.Fields(test.trusted), test.header)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.remote
			for _, field := range test.fields {
				name, value, _ := strings.Cut(field, ": ")
				r.Header.Add(name, value)
			}
			got := p.client(r)
			if want, _ := netip.ParseAddr(test.want); got != want {
				t.Errorf("the client is %v, want %q", got, test.want)
			}
		})
	}
}

func TestCountedAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"203.0.113.7":              "203.0.113.7",
		"2001:db8:1:2:3:4:5:6":     "2001:db8:1:2::",
		"2001:db8:1:2:ffff::ffff":  "2001:db8:1:2::",
		"2001:db8:1:3:ffff::ffff":  "2001:db8:1:3::",
		"::1":                      "::",
		"fe80::aaaa:bbbb:cccc:ddd": "fe80::",
	} {
		if got := counted(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
}

func TestProxiesThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ trusted, header, want string }{
		{"proxy.example.com", "", `TrustedProxies has "proxy.example.com", which is not an IP address, a network such as "10.0.0.0/8", or "unix"`},
		{"10.0.0.0/33", "", `has "10.0.0.0/33", which is not`},
		{"", "", `has "", which is not`},
		{"10.0.0.1:80", "", "which is not an IP address"},
		{"::ffff:10.0.0.0/104", "", "write it as IPv4"},
		{"::ffff:10.0.0.1", "", "write it as IPv4"},
		{"fe80::1%eth0", "", "leave it out"},
		{"10.0.0.1", "X-Real-IP", `ProxyHeader is "X-Real-IP"; allowed are X-Forwarded-For and Forwarded`},
	} {
		_, err := newProxies([]string{test.trusted}, test.header)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("TrustedProxies %q, ProxyHeader %q: %v, want %s", test.trusted, test.header, err, test.want)
		}
	}
}

// FuzzClientAddress shows that a client cannot choose its address: regardless of the header
// that it sends, its address is the one that a trusted proxy has added.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"", "127.0.0.1", "198.51.100.1, 10.0.0.2", `for="`, `for=10.0.0.2;by="`, "[2001:db8::1]:80", "unknown,", `\`, "a,\"b,c\""} {
		f.Add(seed, "203.0.113.7", true)
		f.Add(seed, "2001:db8::7", false)
	}
	f.Fuzz(func(t *testing.T, written, addr string, sameLine bool) {
		want, ok := parseNode(addr)
		for _, header := range []string{"X-Forwarded-For", "Forwarded"} {
			p, err := newProxies([]string{"10.0.0.0/8"}, header)
			if err != nil {
				t.Fatal(err)
			}
			if ok && p.trusts(want) {
				return
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "10.0.0.1:1"
			r.Header[header] = []string{written}
			if got := p.client(r); !got.IsValid() {
				t.Errorf("%s %q: the client has no address", header, written)
			}
			if !ok || strings.ContainsAny(addr, ",;\"= \t") { // a zone may have any of them
				continue
			}
			added := addr
			if header == "Forwarded" {
				added = `proto=https;for="` + addr + `"`
			}
			if sameLine {
				r.Header[header] = []string{written + ", " + added}
			} else {
				r.Header[header] = []string{written, added}
			}
			for range 2 {
				if got := p.client(r); got != want {
					t.Errorf("%s %q: the client is %v, want %v", header, r.Header[header], got, want)
				}
				// The same with a second trusted proxy.
				r.Header[header] = append(r.Header[header], strings.Replace(added, addr, "10.0.0.2", 1))
			}
		}
	})
}
