//go:build !js

package handshake

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestInertDoesNothing(t *testing.T) {
	c := Inert{}
	if n, err := c.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read = %d, %v", n, err)
	}
	for _, err := range []error{c.SetDeadline(time.Now()), c.SetReadDeadline(time.Now()), c.SetWriteDeadline(time.Now()), c.Close()} {
		if err != nil {
			t.Error(err)
		}
	}
	if c.LocalAddr() == nil || c.RemoteAddr() == nil {
		t.Error("an address is nil")
	}
}

func TestRefusalsWithoutAName(t *testing.T) {
	if err := newRefusal(&http.Response{StatusCode: 499}, nil); err.Error() != "refused" {
		t.Errorf("a status without a name: %v", err)
	}
}

// The URLs in the texts of net/http's errors may hold passwords.
func TestErrorsWithoutURLs(t *testing.T) {
	broken := errors.New("broken")
	secret := &url.Error{Op: "Get", URL: "http://ann:secret@host/", Err: broken}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{secret, "broken"},
		{&url.Error{Op: "parse", URL: "://secret", Err: broken}, "the URL cannot be parsed"},
		{errors.Join(secret), "broken"},
		{&elsewhere{secret}, "it failed"},
		{broken, "broken"},
	} {
		if got := withoutURL(tt.err).Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// elsewhere wraps an error without its text.
type elsewhere struct{ error }

func (e *elsewhere) Error() string { return "it failed" }
func (e *elsewhere) Unwrap() error { return e.error }
