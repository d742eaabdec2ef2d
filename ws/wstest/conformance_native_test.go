//go:build !js

package wstest_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/leak"
	"github.com/isosocket/isosocket/internal/parity"
	"github.com/isosocket/isosocket/ws/wstest"
)

const (
	name  = "native"
	class = wstest.Native
)

func serverAddresses(t *testing.T) (a wstest.Addresses) {
	t.Helper()
	if s := os.Getenv("WSTEST_SERVER"); s != "" {
		if err := json.Unmarshal([]byte(s), &a); err != nil {
			t.Fatalf("WSTEST_SERVER: %v", err)
		}
		return a
	}
	server, err := parity.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.Addresses()
}

// trust returns options that trust the test server's certificate, PEM.
func trust(certificate string) *isosocket.NativeOptions {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	return &isosocket.NativeOptions{TLSConfig: &tls.Config{RootCAs: roots}}
}

// checkLeft fails t if a case leaves a goroutine behind.
func checkLeft(t testing.TB) { leak.Check(t) }
