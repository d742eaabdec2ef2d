//go:build !js

package isosocket

import "golang.org/x/net/idna"

// asciiHost returns the ASCII form of an internationalised domain name (Unicode
// Technical Standard 46), by the options that the URL Standard prescribes.
func asciiHost(host string) (ascii string, ok bool) {
	profile := idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.BidiRule(),
		idna.CheckJoiners(true),
		idna.CheckHyphens(false),
		idna.StrictDomainName(false),
		idna.VerifyDNSLength(false),
	)
	ascii, err := profile.ToASCII(host)
	return ascii, err == nil
}
