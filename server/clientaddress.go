//go:build !js

package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// client returns the address of the client that sent r. It is not valid if the client has
// no IP address, as over a Unix socket.
func (p *proxies) client(r *http.Request) netip.Addr {
	addr, ok := parseNode(r.RemoteAddr)
	if !ok && !p.unix || ok && !p.trusts(addr) {
		return addr
	}
	lines := r.Header[p.header]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var element string
			rest, element, more = cutLast(rest)
			if strings.Trim(element, " \t") == "" {
				continue // an empty element, which is allowed (RFC 9110, section 5.6.1)
			}
			if p.header == "Forwarded" {
				element, ok = forParameter(element)
			} else {
				ok = true
			}
			var next netip.Addr
			if ok {
				next, ok = parseNode(strings.Trim(element, " \t"))
			}
			if !ok {
				return addr // no trusted proxy wrote the elements before it
			}
			if addr = next; !p.trusts(addr) {
				return addr
			}
		}
	}
	return addr
}

func (p *proxies) trusts(addr netip.Addr) bool {
	for _, network := range p.networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedPastUs reports whether a proxy that is not trusted has forwarded r, or r says so.
func (p *proxies) forwardedPastUs(r *http.Request) bool {
	if !wasForwarded(r) {
		return false
	}
	addr, ok := parseNode(r.RemoteAddr)
	if !ok {
		return !p.unix
	}
	return !p.trusts(addr)
}

// cutLast cuts the last element off a list. It ignores quotes: an address has no comma, and
// a quote that a client wrote must not hide the comma that a proxy added after it.
func cutLast(list string) (rest, element string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// forParameter returns the node of the one parameter for of an element of Forwarded (RFC
// 7239, section 4).
func forParameter(element string) (node string, ok bool) {
	for parameter := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		if ok {
			return "", false
		}
		node, ok = strings.Trim(value, " \t"), true
		if len(node) >= 2 && node[0] == '"' && node[len(node)-1] == '"' {
			node = node[1 : len(node)-1]
		}
	}
	return node, ok
}

// parseNode parses an IP address with or without a port. An IPv6 address may have
// brackets.
func parseNode(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plain(ap.Addr()), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
		if addr, err := netip.ParseAddr(inner); err == nil && addr.Is6() {
			return plain(addr), true
		}
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	return plain(addr), err == nil
}

// plain returns addr in its canonical form.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// counted returns the address that counts for addr: for IPv6 its network of 64 bits.
func counted(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	network, _ := addr.Prefix(64)
	return network.Addr()
}
