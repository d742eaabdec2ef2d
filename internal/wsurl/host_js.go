package wsurl

import "github.com/isosocket/isosocket/internal/jscall"

// canonicalHost returns the form in which the URL Standard serialises a host: a
// name, in lower case and with characters that a name may have, or an IPv6 address
// in brackets. It uses the browser's URL class, which parses addresses and has the large
// tables of internationalised names.
func canonicalHost(host string) (canonical string, ok bool) {
	var js jscall.Builtins
	name := js.Property(js.New("URL", "ws://"+host), "hostname")
	if js.Err != nil {
		return "", false
	}
	canonical, err := name.String()
	return canonical, err == nil
}
