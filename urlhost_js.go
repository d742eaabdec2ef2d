package isosocket

import "github.com/isosocket/isosocket/internal/jscall"

// asciiHost returns the ASCII form of an internationalised domain name. The
// tables for it are large, and the browser's URL class has them.
func asciiHost(host string) (ascii string, ok bool) {
	var js jscall.Builtins
	name := js.Property(js.New("URL", "ws://"+host), "hostname")
	if js.Err != nil {
		return "", false
	}
	ascii, err := name.String()
	return ascii, err == nil
}
