//go:build !js

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/isosocket/isosocket/errors"
)

const cookieName = "user"

// users signs users in, with a cookie that holds the name and its signature.
type users struct {
	key    []byte // for signatures
	secure bool   // send the cookie over https only
}

// signIn handles the page's form. An application would check a password here.
func (u *users) signIn(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.FormValue("name"))
	if name == "" || len(name) > 40 {
		http.Error(w, "The name must have 1 to 40 bytes.", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: encode64([]byte(name)) + "." + encode64(u.signature(name)),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: u.secure,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// authorize runs before the handshake is answered. Browsers send cookies with it.
func (u *users) authorize(r *http.Request) (any, error) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		name, signature, _ := strings.Cut(cookie.Value, ".")
		n, err1 := base64.RawURLEncoding.DecodeString(name)
		s, err2 := base64.RawURLEncoding.DecodeString(signature)
		if err1 == nil && err2 == nil && hmac.Equal(s, u.signature(string(n))) {
			return string(n), nil
		}
	}
	return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
}

func (u *users) signature(name string) []byte {
	mac := hmac.New(sha256.New, u.key)
	mac.Write([]byte(name))
	return mac.Sum(nil)
}

func encode64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
