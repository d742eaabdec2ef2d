//go:build !js

package handshake

import (
	"bufio"
	"context"
	"encoding/pem"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// httpsProxy is the URL of a proxy for a process whose system trusts its certificate.
const httpsProxy = "ISOSOCKET_TEST_HTTPS_PROXY"

// A proxy may speak TLS. Its certificate must be one that the system trusts, and the system's
// roots are read once in a process, so another process is the client.
func TestTunnelThroughTLS(t *testing.T) {
	if proxy := os.Getenv(httpsProxy); proxy != "" {
		throughTLS(t, proxy)
		return
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "target.example:443" {
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		line, _ := bufio.NewReader(conn).ReadString('\n')
		io.WriteString(conn, "echo "+line)
	}))
	defer s.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run=^TestTunnelThroughTLS$", "-test.v"}
	if coverage := flag.Lookup("test.gocoverdir").Value.String(); coverage != "" {
		args = append(args, "-test.gocoverdir="+coverage)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], args...)
	child.Env = append(os.Environ(), httpsProxy+"="+s.URL, "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+t.TempDir())
	if output, err := child.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS: TestTunnelThroughTLS") {
		t.Errorf("the client: %v\n%s", err, output)
	}
}

func throughTLS(t *testing.T, address string) {
	proxy, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	connect := func() net.Conn {
		conn, err := net.Dial("tcp", ProxyAddr(proxy))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	through, err := Tunnel(ctx, connect(), proxy, "target.example:443")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(through, "hello\n")
	if line, err := bufio.NewReader(through).ReadString('\n'); line != "echo hello\n" {
		t.Errorf("through the tunnel came %q, %v", line, err)
	}
	another := *proxy
	another.Host = "localhost:" + proxy.Port() // the certificate does not have this name
	if _, err := Tunnel(ctx, connect(), &another, "target.example:443"); err == nil || !strings.Contains(err.Error(), "localhost") {
		t.Errorf("a certificate of another host: %v", err)
	}
	closed := connect()
	closed.Close()
	plain := url.URL{Scheme: "http", Host: proxy.Host}
	if _, err := Tunnel(ctx, closed, &plain, "target.example:443"); err == nil {
		t.Error("a tunnel over a closed connection")
	}
}
