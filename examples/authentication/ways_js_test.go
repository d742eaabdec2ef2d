package authentication

import (
	"net/http"
	"os"
	"testing"
)

func TestWays(t *testing.T) {
	ways(t, os.Getenv("AUTHENTICATION_URL"), http.DefaultClient, DialWithCookie)
}
