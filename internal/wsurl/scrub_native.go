//go:build !js

package wsurl

import (
	"cmp"
	"slices"
	"strings"
)

// scrubText removes the secrets from the text of a server, a proxy or a transport: user,
// password and query as in the URL, and each part of them, encoded and decoded.
func (u *URL) scrubText(text string) string {
	type replacement struct{ secret, by string }
	var all []replacement
	hide := func(secret, by string) { all = append(all, replacement{secret, by}) }
	hidePart := func(part string) {
		for _, secret := range []string{part, percentDecode(part), strings.ReplaceAll(percentDecode(part), "+", " ")} {
			if len(secret) >= 6 { // shorter parts occur in ordinary words
				hide(secret, hidden)
			}
		}
	}
	if u.Userinfo != "" {
		hide(u.Userinfo+"@", hidden+"@")
		for part := range strings.SplitSeq(u.Userinfo, ":") {
			hidePart(part)
		}
	}
	if len(u.Query) > 1 {
		hide(u.Query, "?"+hidden)
		for part := range strings.SplitSeq(u.Query[1:], "&") {
			if _, value, ok := strings.Cut(part, "="); ok {
				part = value
			}
			hidePart(part)
		}
	}
	if strings.Contains(u.Path, "@") { // the rest of a password, see String
		hide(u.Path, "/"+hidden)
	}
	// A short one may occur in a long one, which could not be found without it.
	slices.SortStableFunc(all, func(a, b replacement) int { return cmp.Compare(len(b.secret), len(a.secret)) })
	for _, r := range all {
		text = strings.ReplaceAll(text, r.secret, r.by)
	}
	return text
}
