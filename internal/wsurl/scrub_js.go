package wsurl

import "strings"

// scrubText takes the query out of what the browser says of the URL. There is no
// userinfo in it, and nobody else has seen it. strings.ReplaceAll would make the
// client larger.
func (u *URL) scrubText(text string) string {
	if len(u.Query) < 2 {
		return text
	}
	clean, rest, found := strings.Cut(text, u.Query)
	for found {
		var next string
		next, rest, found = strings.Cut(rest, u.Query)
		clean += "?" + hidden + next
	}
	return clean
}
