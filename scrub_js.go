package isosocket

import "strings"

// scrubText takes the query out of what the browser says of the URL. There is no
// userinfo in it, and nobody else has seen it. strings.ReplaceAll would make the
// client larger.
func (a *address) scrubText(text string) string {
	if len(a.query) < 2 {
		return text
	}
	clean, rest, found := strings.Cut(text, a.query)
	for found {
		var next string
		next, rest, found = strings.Cut(rest, a.query)
		clean += "?" + hidden + next
	}
	return clean
}
