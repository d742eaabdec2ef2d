package rfc6455

import (
	"fmt"
	"strconv"
	"strings"
)

const deflateName = "permessage-deflate"

// The parameters of permessage-deflate (RFC 7692, section 7.1).
const (
	serverNoContextTakeover = "server_no_context_takeover"
	clientNoContextTakeover = "client_no_context_takeover"
	serverMaxWindowBits     = "server_max_window_bits"
	clientMaxWindowBits     = "client_max_window_bits"
)

// Offer returns the value of the Sec-WebSocket-Extensions header with which a client offers
// permessage-deflate. Window bits outside 8 to 15 count as 15.
//
// What p asks for spares memory but costs some servers the connection or the compression: they
// refuse an offer with a parameter that they do not support. So a plain offer follows the one with
// parameters (RFC 7692, section 5.1), unless strict says that p's windows are the largest allowed.
// Both allow the server to choose a smaller window for the client.
func Offer(p DeflateParams, strict bool) string {
	plain := DeflateParams{}
	if strict {
		plain.ServerMaxWindowBits, plain.ClientMaxWindowBits = p.ServerMaxWindowBits, p.ClientMaxWindowBits
	}
	first, second := offer(p), offer(plain)
	if first == second {
		return first
	}
	return first + ", " + second
}

func offer(p DeflateParams) string {
	var b strings.Builder
	b.WriteString(deflateName)
	if p.ServerNoContextTakeover {
		b.WriteString("; " + serverNoContextTakeover)
	}
	if p.ClientNoContextTakeover {
		b.WriteString("; " + clientNoContextTakeover)
	}
	if bits := windowBits(p.ServerMaxWindowBits); bits < maxWindowBits {
		b.WriteString("; " + serverMaxWindowBits + "=" + strconv.Itoa(bits))
	}
	b.WriteString("; " + clientMaxWindowBits)
	if bits := windowBits(p.ClientMaxWindowBits); bits < maxWindowBits {
		b.WriteString("=" + strconv.Itoa(bits))
	}
	return b.String()
}

// AcceptOffer is the server's side of the negotiation. header holds the values of the request's
// Sec-WebSocket-Extensions lines, and want is what the server prefers: no context takeover where
// want says so, and windows no larger than want's. The first offer of permessage-deflate that can
// be granted is granted: params is what then holds, and response the value of the response's
// header. With no such offer, params is nil and response empty, which declines; that is no error.
// An offer with an unknown, doubled or malformed parameter is declined by itself (RFC 7692, section
// 7), and a line that does not follow the grammar is ignored from there on: [CheckExtensions] finds it.
//
// The client is asked only for what it offered. Section 7.1.1.2 lets a server require
// client_no_context_takeover without an offer, but some clients ignore that and go on with their
// context, which then could not be inflated. A smaller client window needs an offer anyway (section
// 7.1.2.2). With strict, an offer that would leave a window larger than want's is declined.
func AcceptOffer(header []string, want DeflateParams, strict bool) (params *DeflateParams, response string) {
	for _, line := range header {
		offers, _ := parseExtensions(line)
		for _, offer := range offers {
			if !strings.EqualFold(offer.name, deflateName) {
				continue
			}
			if params, response, ok := acceptOffer(offer, want, strict); ok {
				return params, response
			}
		}
	}
	return nil, ""
}

func acceptOffer(offer extension, want DeflateParams, strict bool) (*DeflateParams, string, bool) {
	offered, err := deflateParams(offer, true)
	if err != nil {
		return nil, "", false
	}
	p := &DeflateParams{
		ServerNoContextTakeover: offered.ServerNoContextTakeover || want.ServerNoContextTakeover,
		ClientNoContextTakeover: offered.ClientNoContextTakeover,
		ServerMaxWindowBits:     min(windowBits(offered.ServerMaxWindowBits), windowBits(want.ServerMaxWindowBits)),
		ClientMaxWindowBits:     maxWindowBits,
	}
	if offered.ClientMaxWindowBits != 0 {
		p.ClientMaxWindowBits = min(offered.ClientMaxWindowBits, windowBits(want.ClientMaxWindowBits))
	}
	if strict && p.ClientMaxWindowBits > windowBits(want.ClientMaxWindowBits) {
		return nil, "", false
	}
	response := deflateName
	if p.ServerNoContextTakeover {
		response += "; " + serverNoContextTakeover
	}
	if p.ClientNoContextTakeover {
		response += "; " + clientNoContextTakeover
	}
	if p.ServerMaxWindowBits < maxWindowBits || offered.ServerMaxWindowBits != 0 {
		response += "; " + serverMaxWindowBits + "=" + strconv.Itoa(p.ServerMaxWindowBits)
	}
	if p.ClientMaxWindowBits < maxWindowBits {
		response += "; " + clientMaxWindowBits + "=" + strconv.Itoa(p.ClientMaxWindowBits)
	}
	return p, response, true
}

// CheckExtensions returns what is wrong with the form of the values of Sec-WebSocket-Extensions
// lines, or nil. Either side of a handshake with a value that does not follow the grammar fails it
// (RFC 6455, section 9.1).
func CheckExtensions(header []string) error {
	for _, line := range header {
		if _, err := parseExtensions(line); err != nil {
			return err
		}
	}
	return nil
}

// AcceptResponse is the client's side: header holds the values of the response's
// Sec-WebSocket-Extensions lines, and offered and strict are what [Offer] was given; offered is nil
// if nothing was offered. It returns what then holds, nil for no compression. An extension that was
// not offered, and a parameter that is unknown, doubled or malformed, are errors that name it, and
// the connection must then be failed (RFC 6455, section 4.1).
//
// A server that ignores what was asked for is taken as it is: if it did not agree to go without
// context takeover or to a smaller window, it may use both, and this side keeps what inflating
// needs. RFC 7692, section 7.1, would fail the connection, at the cost of a connection that works.
// With strict, a window of the server's that is larger than offered is an error.
func AcceptResponse(header []string, offered *DeflateParams, strict bool) (*DeflateParams, error) {
	var accepted *DeflateParams
	for _, line := range header {
		extensions, err := parseExtensions(line)
		if err != nil {
			return nil, fmt.Errorf("Sec-WebSocket-Extensions %q: %w", line, err)
		}
		for _, e := range extensions {
			if !strings.EqualFold(e.name, deflateName) || offered == nil {
				return nil, fmt.Errorf("the server chose the extension %q, which was not offered", e.name)
			}
			if accepted != nil {
				return nil, fmt.Errorf("the server chose the extension %q twice", e.name)
			}
			if accepted, err = acceptResponse(e, offered, strict); err != nil {
				return nil, fmt.Errorf("the server's answer to %s: %w", deflateName, err)
			}
		}
	}
	return accepted, nil
}

func acceptResponse(e extension, offered *DeflateParams, strict bool) (*DeflateParams, error) {
	p, err := deflateParams(e, false)
	if err != nil {
		return nil, err
	}
	p.ServerMaxWindowBits = windowBits(p.ServerMaxWindowBits)
	if most := windowBits(offered.ServerMaxWindowBits); strict && p.ServerMaxWindowBits > most {
		return nil, fmt.Errorf("%s is %d, and at most %d is allowed", serverMaxWindowBits, p.ServerMaxWindowBits, most)
	}
	// How the client compresses its own messages needs no grant: every peer can inflate a smaller
	// window, and messages that do not refer to each other.
	p.ClientNoContextTakeover = p.ClientNoContextTakeover || offered.ClientNoContextTakeover
	p.ClientMaxWindowBits = min(windowBits(p.ClientMaxWindowBits), windowBits(offered.ClientMaxWindowBits))
	return p, nil
}

// deflateParams reads the parameters of one permessage-deflate, in an offer or in a response.
// Window bits that are not mentioned stay 0; client_max_window_bits without a value, which only an
// offer may have, gives 15.
func deflateParams(e extension, offer bool) (*DeflateParams, error) {
	p := new(DeflateParams)
	seen := make(map[string]bool, len(e.params))
	for _, param := range e.params {
		name := strings.ToLower(param.name)
		if seen[name] {
			return nil, fmt.Errorf("parameter %s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case serverNoContextTakeover:
			p.ServerNoContextTakeover, err = true, noValue(param)
		case clientNoContextTakeover:
			p.ClientNoContextTakeover, err = true, noValue(param)
		case serverMaxWindowBits:
			p.ServerMaxWindowBits, err = bitsValue(param)
		case clientMaxWindowBits:
			if offer && !param.hasValue {
				p.ClientMaxWindowBits = maxWindowBits
			} else {
				p.ClientMaxWindowBits, err = bitsValue(param)
			}
		default:
			err = fmt.Errorf("parameter %q is unknown", param.name)
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

func noValue(p parameter) error {
	if p.hasValue {
		return fmt.Errorf("parameter %s has the value %q: it takes none", p.name, p.value)
	}
	return nil
}

// bitsValue reads a decimal from 8 to 15 without leading zeros (RFC 7692, section 7.1.2).
func bitsValue(p parameter) (int, error) {
	switch p.value {
	case "8", "9":
		return int(p.value[0] - '0'), nil
	case "10", "11", "12", "13", "14", "15":
		return 10 + int(p.value[1]-'0'), nil
	}
	if !p.hasValue {
		return 0, fmt.Errorf("parameter %s has no value: it takes one from 8 to 15", p.name)
	}
	return 0, fmt.Errorf("parameter %s has the value %q: it takes one from 8 to 15", p.name, p.value)
}

// extension is one element of a Sec-WebSocket-Extensions list (RFC 6455, section 9.1).
type extension struct {
	name   string
	params []parameter
}

type parameter struct {
	name     string
	value    string // unquoted
	hasValue bool
}

// parseExtensions parses the value of a Sec-WebSocket-Extensions header. Empty elements are
// allowed, as in every list of HTTP (RFC 9110, section 5.6.1). With an error it returns the
// elements before the one that is wrong.
func parseExtensions(line string) ([]extension, error) {
	var list []extension
	s := scanner{rest: line}
	for {
		s.space()
		if s.rest == "" {
			return list, nil
		}
		if s.skip(',') {
			continue
		}
		e, err := s.extension()
		if err != nil {
			return list, err
		}
		s.space()
		if s.rest != "" && !s.skip(',') {
			return list, fmt.Errorf("%q after the extension %s: a comma is expected", s.rest[:1], e.name)
		}
		list = append(list, e)
	}
}

// scanner takes the elements of a header off the front of rest.
type scanner struct{ rest string }

func (s *scanner) extension() (extension, error) {
	var e extension
	if e.name = s.token(); e.name == "" {
		return e, fmt.Errorf("the name of an extension is expected before %q", s.rest)
	}
	for {
		s.space()
		if !s.skip(';') {
			return e, nil
		}
		s.space()
		p := parameter{name: s.token()}
		if p.name == "" {
			return e, fmt.Errorf("the name of a parameter of %s is expected before %q", e.name, s.rest)
		}
		s.space()
		if s.skip('=') {
			s.space()
			p.hasValue = true
			var ok bool
			if p.value, ok = s.value(); !ok {
				return e, fmt.Errorf("parameter %s has no valid value", p.name)
			}
		}
		e.params = append(e.params, p)
	}
}

// value takes a token, or a quoted string whose content is a token (RFC 6455, section 9.1).
func (s *scanner) value() (string, bool) {
	if !s.skip('"') {
		v := s.token()
		return v, v != ""
	}
	var v []byte
	for len(s.rest) > 0 {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch c {
		case '"':
			return string(v), len(v) > 0
		case '\\':
			if s.rest == "" {
				return "", false
			}
			c = s.rest[0]
			s.rest = s.rest[1:]
		}
		if !isTokenByte(c) {
			return "", false
		}
		v = append(v, c)
	}
	return "", false
}

func (s *scanner) token() string {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	token := s.rest[:n]
	s.rest = s.rest[n:]
	return token
}

func (s *scanner) space() {
	s.rest = strings.TrimLeft(s.rest, " \t")
}

func (s *scanner) skip(c byte) bool {
	if s.rest != "" && s.rest[0] == c {
		s.rest = s.rest[1:]
		return true
	}
	return false
}

// isTokenByte reports whether c may be in a token (RFC 9110, section 5.6.2).
func isTokenByte(c byte) bool {
	switch {
	case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
