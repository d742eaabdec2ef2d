//go:build !js

package isosocket

import "strings"

// scrubText takes the secrets out of what a server, a proxy or a transport says:
// user, password and query as they stand in the URL, and each part of them, as
// it is and decoded.
func (a *address) scrubText(text string) string {
	hide := func(secret, by string) {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, by)
		}
	}
	hidePart := func(part string) {
		for _, secret := range []string{part, percentDecode(part), strings.ReplaceAll(percentDecode(part), "+", " ")} {
			if len(secret) >= 6 { // what is shorter is in every other word
				hide(secret, hidden)
			}
		}
	}
	if a.userinfo != "" {
		hide(a.userinfo+"@", hidden+"@")
		for part := range strings.SplitSeq(a.userinfo, ":") {
			hidePart(part)
		}
	}
	if len(a.query) > 1 {
		hide(a.query, "?"+hidden)
		for part := range strings.SplitSeq(a.query[1:], "&") {
			if _, value, ok := strings.Cut(part, "="); ok {
				part = value
			}
			hidePart(part)
		}
	}
	if strings.Contains(a.path, "@") { // the rest of a password, see String
		hide(a.path, "/"+hidden)
	}
	return text
}
