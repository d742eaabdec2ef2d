package wsurl

import "strings"

// scrubText removes the query from the text of the browser's error. The URL there has no
// userinfo, and only the browser has seen it. strings.ReplaceAll would make the client
// larger.
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
