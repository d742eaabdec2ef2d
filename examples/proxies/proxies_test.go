//go:build !js

package proxies

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience bounds each wait for something that happens soon, on a machine that may be busy.
const patience = 30 * time.Second

// proxy is one of the programs with its configuration. In that, a test replaces what is between
// the quotes of each pair; the function fails the test if something is not there.
type proxy struct {
	name, file string
	arguments  func(config string) []string
	local      func(s *setup) [][2]string // for this machine
	idle       [2]string                  // shortens the idle timeout to 2 s
	otherHost  [2]string                  // rewrites Host
	down       int                        // the status while the server is down
}

var all = []proxy{
	{
		name: "nginx",
		file: "nginx.conf",
		arguments: func(config string) []string {
			return []string{"-p", filepath.Dir(config), "-c", config, "-e", "stderr", "-g", "daemon off; pid nginx.pid; error_log stderr;"}
		},
		local: func(s *setup) [][2]string {
			temporary := "http {\n    access_log off;\n"
			for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				temporary += fmt.Sprintf("    %s_temp_path %s;\n", name, filepath.Join(s.folder, name))
			}
			return [][2]string{
				{"http {\n", temporary},
				{"listen 80;", "listen 127.0.0.1:" + s.plain + ";"},
				{"listen 443 ssl;", "listen 127.0.0.1:" + s.secure + " ssl;"},
				{"/etc/ssl/app.example.com.pem", s.certificate},
				{"/etc/ssl/app.example.com.key", s.key},
			}
		},
		idle:      [2]string{"proxy_read_timeout 60s;", "proxy_read_timeout 5s;"},
		otherHost: [2]string{"            proxy_set_header Host $http_host;\n", ""},
		down:      http.StatusBadGateway,
	},
	{
		name:      "haproxy",
		file:      "haproxy.cfg",
		arguments: func(config string) []string { return []string{"-db", "-f", config} },
		local: func(s *setup) [][2]string {
			return [][2]string{
				{"bind :80\n", "bind 127.0.0.1:" + s.plain + "\n"},
				{"bind :443 ssl crt /etc/ssl/app.example.com.pem", "bind 127.0.0.1:" + s.secure + " ssl crt " + s.both},
			}
		},
		idle:      [2]string{"timeout tunnel 60s", "timeout tunnel 5s"},
		otherHost: [2]string{"    option forwardfor\n", "    option forwardfor\n    http-request set-header Host app1.internal\n"},
		down:      http.StatusServiceUnavailable,
	},
	{
		name:      "caddy",
		file:      "Caddyfile",
		arguments: func(config string) []string { return []string{"run", "--adapter", "caddyfile", "--config", config} },
		local: func(s *setup) [][2]string {
			return [][2]string{
				{"(app) {", "{\n\tadmin off\n\tauto_https off\n}\n\n(app) {"},
				{"http://app.example.com", "http://localhost:" + s.plain},
				{"https://app.example.com", "https://localhost:" + s.secure},
				{"/etc/ssl/app.example.com.pem", s.certificate},
				{"/etc/ssl/app.example.com.key", s.key},
			}
		},
		otherHost: [2]string{"reverse_proxy 127.0.0.1:8080", "reverse_proxy 127.0.0.1:8080 {\n\t\t\theader_up Host {upstream_hostport}\n\t\t}"},
		down:      http.StatusBadGateway,
	},
}

// each runs a test with every proxy.
func each(t *testing.T, test func(t *testing.T, p proxy)) {
	t.Parallel()
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// setup is a server behind a proxy.
type setup struct {
	t                      *testing.T
	folder                 string
	certificate, key, both string // files
	roots                  *x509.CertPool
	plain, secure          string // ports of the proxy
	backend                string // address of the server
	log                    logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lastPort is the port that freePort has tried last. It begins at random, for other processes.
var lastPort atomic.Int32

func init() { lastPort.Store(20_000 + int32(os.Getpid()%10_000)) }

// freePort returns a port outside of the range from which systems take those of outgoing
// connections: one of these would take it before the proxy does.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(int(lastPort.Add(1)))
		if l, err := net.Listen("tcp", ":"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// start starts p with its configuration, in which it replaces changes, and no server yet.
func (p proxy) start(t *testing.T, changes ...[2]string) *setup {
	t.Helper()
	s := &setup{t: t, folder: t.TempDir(), plain: freePort(t), secure: freePort(t), backend: "127.0.0.1:" + freePort(t)}
	s.makeCertificate()
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for _, change := range append(append(changes, p.local(s)...), [2]string{"127.0.0.1:8080", s.backend}) {
		if strings.Count(config, change[0]) != 1 {
			t.Fatalf("%s does not contain %q once:\n%s", p.file, change[0], config)
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	file := filepath.Join(s.folder, p.file)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}

	var advice bytes.Buffer
	find := exec.CommandContext(t.Context(), "sh", "../../scripts/proxy.sh", "--no-install", p.name)
	find.Stderr = &advice
	path, err := find.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, advice.String())
	}
	var output logBuffer
	program := exec.Command(strings.TrimSpace(string(path)), p.arguments(file)...)
	program.Env = append(os.Environ(), "HOME="+s.folder, "XDG_DATA_HOME="+s.folder, "XDG_CONFIG_HOME="+s.folder)
	program.Stdout, program.Stderr = &output, &output
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	t.Cleanup(func() {
		program.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			program.Process.Kill()
			t.Errorf("%s did not end; its output:\n%s", p.name, output.String())
		}
	})
	for _, port := range []string{s.plain, s.secure} {
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				conn.Close()
				break
			}
			if len(ended) > 0 || time.Now().After(deadline) {
				t.Fatalf("%s does not listen: %v\n%s\n%s", p.name, err, output.String(), config)
			}
		}
	}
	return s
}

func (s *setup) makeCertificate() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, content := range map[*string][]byte{&s.certificate: certificate, &s.key: keyText, &s.both: append(bytes.Clone(certificate), keyText...)} {
		f, err := os.CreateTemp(s.folder, "*.pem")
		if err != nil {
			s.t.Fatal(err)
		}
		f.Write(content)
		if err := f.Close(); err != nil {
			s.t.Fatal(err)
		}
		*name = f.Name()
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(certificate)
}

// serve serves an echo at the backend until stop is called, which clients see as a restart.
func (s *setup) serve(o *server.Options) (stop func()) {
	s.t.Helper()
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, o)
	mux := http.NewServeMux()
	mux.Handle("/ws", endpoint)
	h := &http.Server{Handler: mux, ErrorLog: log.New(&s.log, "", 0)}
	l, err := net.Listen("tcp", s.backend)
	if err != nil {
		s.t.Error(err) // also on another goroutine than the test's
		return func() {}
	}
	go h.Serve(l)
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Stop(ctx, h, &server.DrainOptions{Spread: -1}, endpoint); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

func (s *setup) url(scheme string) string {
	if scheme == "wss" {
		return "wss://localhost:" + s.secure + "/app/ws"
	}
	return "ws://localhost:" + s.plain + "/app/ws"
}

// options are for a client whose requests come from the address from.
func (s *setup) options(from string) *isosocket.DialOptions {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots},
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(addr)
			return dialer.DialContext(ctx, "tcp4", "127.0.0.1:"+port)
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &isosocket.DialOptions{
		Header: map[string][]string{},
		Native: &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: transport}},
	}
}

func (s *setup) dial(scheme string, o *isosocket.DialOptions) *ws.Conn {
	s.t.Helper()
	conn, err := isosocket.Dial(s.t.Context(), s.url(scheme), o)
	if err != nil {
		failed, _ := errors.AsType[*errors.ConnectionError](err)
		s.t.Fatalf("%v: %s\n%s", err, failed.Body, s.log.String())
	}
	s.t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
	return conn
}

// refused returns the error of a handshake that must be refused with status.
func (s *setup) refused(status int, o *isosocket.DialOptions) {
	s.t.Helper()
	conn, err := isosocket.Dial(s.t.Context(), s.url("ws"), o)
	if err == nil {
		conn.CloseNow(errors.NormalClosure, "")
	}
	if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != status {
		s.t.Errorf("Dial = %v; want %d", err, status)
	}
}

func echoes(t *testing.T, conn *ws.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Send(ctx, ws.Text(text)); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.Receive(ctx); err != nil || m.String() != text {
		t.Fatalf("Receive = %d bytes, %v; want %d bytes", len(m.String()), err, len(text))
	}
}

// Each proxy passes messages on over ws and wss, with the prefix cut off, from pages of its own
// address, and the close reason.
func TestMessages(t *testing.T) {
	each(t, func(t *testing.T, p proxy) {
		s := p.start(t)
		s.serve(nil)
		for _, scheme := range []string{"ws", "wss"} {
			o := s.options("127.0.0.1")
			origin := "http" + strings.TrimPrefix(s.url(scheme), "ws")
			o.Header["Origin"] = []string{strings.TrimSuffix(origin, "/app/ws")}
			conn := s.dial(scheme, o)
			echoes(t, conn, "hi")
			echoes(t, conn, strings.Repeat("0123456789", 50_000))
			if err := conn.Close(errors.NormalClosure, "bye"); err != nil {
				t.Error(err)
			}
			if err := conn.Err(); !errors.Is(err, errors.NormalClosure) {
				t.Errorf("the connection ended with %v", err)
			}
		}
	})
}

// nginx and HAProxy cut a connection that is idle for their timeout; pings prevent it. Caddy has none.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, p proxy) {
		var changes [][2]string
		if p.idle[0] != "" {
			changes = append(changes, p.idle)
		}
		s := p.start(t, changes...)
		stop := s.serve(&server.Options{PingInterval: -1})
		o := s.options("127.0.0.1")
		o.PingInterval = -1
		conn := s.dial("ws", o)
		if p.idle[0] == "" {
			time.Sleep(3 * time.Second)
			echoes(t, conn, "still here")
			return
		}
		began := time.Now()
		if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.AbnormalClosure) {
			t.Errorf("without pings the connection ended with %v, want 1006", err)
		}
		if lived := time.Since(began); lived < 4500*time.Millisecond {
			t.Errorf("it ended after %v already", lived)
		}
		stop()
		s.serve(&server.Options{PingInterval: time.Second})
		conn = s.dial("ws", o)
		// Pings alone must keep the connection, so nothing else is sent meanwhile.
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		if _, err := conn.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("with pings the connection ended with %v", err)
		}
		echoes(t, conn, "still here")
	})
}

// A restart of the server passes through the proxy as 1012. Until it is back, the proxy refuses
// handshakes, and then the client is connected again.
func TestRestart(t *testing.T) {
	each(t, func(t *testing.T, p proxy) {
		s := p.start(t)
		stop := s.serve(nil)
		o := s.options("127.0.0.1")
		failures := make(chan error, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		n := 0
		for conn, err := range isosocket.Connections(ctx, s.url("ws"), &isosocket.ReconnectOptions{
			Dial:      o,
			BaseDelay: 50 * time.Millisecond,
			MaxDelay:  200 * time.Millisecond,
			Retry: func(err error) bool {
				failures <- err
				return isosocket.DefaultRetry(err)
			},
		}) {
			if err != nil {
				t.Fatal(err)
			}
			echoes(t, conn, "hi")
			if n++; n == 2 {
				conn.Close(errors.NormalClosure, "")
				break
			}
			stop()
			if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.ServiceRestart) {
				t.Errorf("the connection ended with %v, want 1012", err)
			}
			s.refused(p.down, o)
			// Until the client has been refused at least once, too.
			again := make(chan struct{})
			defer func() { <-again }()
			go func() {
				defer close(again)
				for err := range failures {
					if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
						if failed.StatusCode != p.down {
							t.Errorf("while the server was down, the client saw %v; want %d", err, p.down)
						}
						break
					}
				}
				s.serve(nil)
			}()
		}
		if n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// If the proxy rewrites Host, the origin check cannot know the page's host. The log says what to set.
func TestOrigin(t *testing.T) {
	each(t, func(t *testing.T, p proxy) {
		s := p.start(t, p.otherHost)
		stop := s.serve(nil)
		o := s.options("127.0.0.1")
		origin := "http://localhost:" + s.plain
		o.Header["Origin"] = []string{origin}
		s.refused(http.StatusForbidden, o)
		if got := s.log.String(); !strings.Contains(got, "behind a proxy that rewrites Host, make the proxy pass the original one") ||
			!strings.Contains(got, strconv.Quote(origin)) {
			t.Errorf("the log does not say what to set: %q", got)
		}
		stop()
		s.serve(&server.Options{OriginPatterns: []string{origin}})
		echoes(t, s.dial("ws", o), "hi")
	})
}

// nginx passes no handshake on unless it is told to. The refusal and the log say what is missing.
func TestUpgradeOfNginx(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $connection_upgrade;"} {
		s := all[0].start(t, [2]string{line, ""})
		s.serve(nil)
		s.refused(http.StatusUpgradeRequired, s.options("127.0.0.1"))
		if got := s.log.String(); strings.Count(got, "a proxy in between has") != 1 || !strings.Contains(got, "proxy_http_version 1.1; proxy_set_header Upgrade") {
			t.Errorf("without %s the log has %q", line, got)
		}
	}
}

// Limits count for the address of the client, which it cannot choose, and not for that of the proxy.
func TestClientAddress(t *testing.T) {
	each(t, func(t *testing.T, p proxy) {
		s := p.start(t)
		s.serve(&server.Options{Limits: &server.Limits{MaxConnectionsPerAddress: 1, TrustedProxies: []string{"127.0.0.1"}}})
		echoes(t, s.dial("ws", s.options("127.0.0.2")), "hi")
		s.refused(http.StatusTooManyRequests, s.options("127.0.0.2"))
		forged := s.options("127.0.0.2")
		forged.Header["X-Forwarded-For"] = []string{"127.0.0.9"}
		s.refused(http.StatusTooManyRequests, forged)
		echoes(t, s.dial("ws", s.options("127.0.0.3")), "hi")
	})
}

// The page's blocks that name a file show all of it.
func TestPageShowsTheConfigurations(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\\[([A-Za-z.]+)\\]\\(\\.\\./examples/proxies/[A-Za-z.]+\\):\n\n```\\w*\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != len(all) {
		t.Errorf("%d blocks, want %d", len(blocks), len(all))
	}
	for _, block := range blocks {
		if file, err := os.ReadFile(block[1]); err != nil || string(file) != block[2] {
			t.Errorf("%s is not\n%s, %v", block[1], block[2], err)
		}
	}
}
