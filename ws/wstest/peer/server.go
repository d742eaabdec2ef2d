package peer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/ws/wstest"
)

// Config configures a Server. Nil means the defaults.
type Config struct {
	// Accept performs the handshake of the endpoints below /library/ with the server library
	// under test. If nil, there are no such endpoints.
	Accept func(w http.ResponseWriter, r *http.Request, a Acceptance) (Conn, error)

	// Log, if not nil, logs behaviours that end with an error. Many do even if the test passes.
	Log *log.Logger
}

// Server is the running test server.
type Server struct {
	config    Config
	addresses wstest.Addresses
	records   records
	servers   []*http.Server
	ctx       context.Context
	cancel    context.CancelFunc
	links     sync.WaitGroup
	client    net.Conn // keeps the port of Refused in use

	mu    sync.Mutex
	conns map[net.Conn]bool // hijacked ones, which http.Server does not close
}

// Start starts a Server on ports of loopback that are free.
func Start(config *Config) (*Server, error) {
	s := &Server{records: records{byID: make(map[string]*record)}, conns: make(map[net.Conn]bool)}
	if config != nil {
		s.config = *config
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.listen(); err != nil {
		s.Close()
		return nil, fmt.Errorf("peer: %w", err)
	}
	return s, nil
}

func (s *Server) listen() error {
	trusted, text, err := certificate()
	if err != nil {
		return err
	}
	untrusted, _, err := certificate()
	if err != nil {
		return err
	}
	a := &s.addresses
	a.Certificate = text
	a.Library = s.config.Accept != nil
	for _, l := range []struct {
		url, scheme, address string
		to                   *string
		certificate          *tls.Certificate
	}{
		{"URL", "ws", "127.0.0.1:0", &a.URL, nil},
		{"Control", "ws", "127.0.0.2:0", &a.Control, nil},
		{"IPv6", "ws", "[::1]:0", &a.IPv6, nil},
		{"TLS", "wss", "127.0.0.1:0", &a.TLS, trusted},
		{"Untrusted", "wss", "127.0.0.1:0", &a.Untrusted, untrusted},
	} {
		listener, err := listen(l.address)
		if err != nil {
			if l.to == &a.IPv6 {
				continue // not every machine has it; the suite reports that
			}
			return fmt.Errorf("listening for %s: %w", l.url, err)
		}
		*l.to = l.scheme + "://" + listener.Addr().String()
		if l.certificate != nil {
			listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*l.certificate}})
		}
		server := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
		s.servers = append(s.servers, server)
		s.links.Go(func() { _ = server.Serve(listener) })
	}
	// The local port of a client connection refuses connections, and no other program can listen
	// on it.
	s.client, err = net.Dial("tcp", strings.TrimPrefix(a.Control, "ws://"))
	if err != nil {
		return err
	}
	a.Refused = "ws://" + s.client.LocalAddr().String()
	return nil
}

// listen listens at address. Not every machine has more than one address of loopback.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil && address == "127.0.0.2:0" {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return listener, err
}

// certificate makes a self-signed certificate for loopback.
func certificate() (*tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "wstest peer"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text), nil
}

// Addresses returns the addresses of the server.
func (s *Server) Addresses() wstest.Addresses { return s.addresses }

// Close ends the server and all its connections.
func (s *Server) Close() {
	s.cancel()
	if s.client != nil {
		_ = s.client.Close()
	}
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.links.Wait()
}

// ServeHTTP serves all endpoints.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record := s.records.of(r.URL.Query().Get("id"))
	path := r.URL.Path
	if path == "/" || strings.HasPrefix(path, "/request/") {
		path = "/request"
	}
	if serve, ok := behaviours[path]; ok {
		s.behave(w, r, record, true, serve)
		return
	}
	if serve, ok := libraryEndpoints[r.URL.Path]; ok && s.config.Accept != nil {
		s.serveLibrary(w, r, record, serve)
		return
	}
	switch r.URL.Path {
	case "/observed", "/tell", "/forget", "/quiet":
		// Events of a control connection do not belong to the record of its subject.
		s.behave(w, r, s.records.of(""), true, s.controls(record))
	case "/hang":
		s.behave(w, r, record, false, (*link).hang)
	case "/handshake":
		s.behave(w, r, record, false, (*link).wrongHandshake)
	case "/status":
		s.refuse(w, r, record)
	case "/redirect":
		record.add("request")
		allowOrigin(w, r)
		w.Header().Set("Location", r.URL.Query().Get("to"))
		s.refuse(w, r, record)
	default:
		http.Error(w, fmt.Sprintf("there is no behaviour %q", r.URL.Path), http.StatusNotFound)
	}
}

// refuse answers the handshake with the status of code=, and 503 with
// Retry-After: 7.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, record *record) {
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	if err != nil || code < 200 || code > 599 {
		code = http.StatusBadRequest
	}
	allowOrigin(w, r)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "7")
	}
	http.Error(w, http.StatusText(code), code)
}

// behave hijacks the connection for a behaviour.
func (s *Server) behave(w http.ResponseWriter, r *http.Request, record *record, handshake bool, serve func(*link) error) {
	if !isHandshake(w, r) {
		return
	}
	conn, reader, err := hijack(w)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.serve(&link{request: r, query: r.URL.Query(), conn: conn, reader: reader, record: record}, func(l *link) error {
		if handshake {
			if err := rightAnswer(r).write(conn); err != nil {
				return err
			}
		}
		return serve(l)
	})
}

// serve runs a behaviour on l, and ends its connection.
func (s *Server) serve(l *link, behaviour func(*link) error) {
	s.mu.Lock()
	s.conns[l.conn] = true
	s.mu.Unlock()
	s.links.Add(1)
	defer s.links.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, l.conn)
		s.mu.Unlock()
	}()
	l.ctx = s.ctx
	if err := behaviour(l); err != nil && s.config.Log != nil {
		s.config.Log.Printf("%s: %v", l.request.URL, err)
	}
	l.finish()
	l.record.end()
}

// wrongHandshake answers the handshake as the query says, valid or not.
func (l *link) wrongHandshake() error {
	a := rightAnswer(l.request)
	if accept := l.query.Get("accept"); accept != "" {
		a.accept = accept
	}
	if l.query.Has("protocol") {
		a.protocol = l.query.Get("protocol")
	}
	a.extension = l.query.Get("extension")
	if err := a.write(l.conn); err != nil {
		return err
	}
	return l.echo()
}

// controls returns the behaviour of a control connection about record.
func (s *Server) controls(record *record) func(*link) error {
	return func(l *link) error { return s.control(l, record) }
}

// observedTimeout bounds the wait for the end of a behaviour.
const observedTimeout = 30 * time.Second

// control answers a question about the connection of record with one text.
func (s *Server) control(l *link, record *record) error {
	id := l.query.Get("id")
	var answer []byte
	switch l.request.URL.Path {
	case "/tell":
		select {
		case record.told <- struct{}{}:
		default:
		}
		answer = []byte("told")
	case "/forget":
		for id := range strings.SplitSeq(l.query.Get("ids"), ",") {
			s.records.forget(id)
		}
		answer = []byte("forgotten")
	case "/quiet":
		answer = []byte("gone quiet")
		if err := s.goQuiet(l); err != nil {
			answer = []byte(err.Error())
		}
	case "/observed":
		limit, err := time.ParseDuration(l.query.Get("within"))
		if err != nil {
			limit = observedTimeout
		}
		ctx, cancel := context.WithTimeout(l.ctx, limit)
		defer cancel()
		if l.query.Has("now") {
			cancel()
		}
		events := record.wait(ctx, l.query.Get("until"))
		if events == nil {
			events = []string{}
		}
		if l.query.Get("until") == "" && !l.query.Has("now") {
			s.records.forget(id)
		}
		if answer, err = json.Marshal(events); err != nil {
			return err
		}
	}
	if err := l.write(l.frame(fin|opText, answer)); err != nil {
		return err
	}
	return l.serve(func(received) error { return nil })
}
