//go:build !js

package wsurl

import (
	"encoding/base64"
	"strings"
)

// Basic returns the user and password as the value of an Authorization field (RFC
// 7617). They must not stay in the URL, which net/http repeats in its errors.
func (u *URL) Basic() string {
	user, password, _ := strings.Cut(u.Userinfo, ":")
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(percentDecode(user)+":"+percentDecode(password)))
}
