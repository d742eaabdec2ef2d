//go:build !js

// Package protocols_test runs protocols that were written for TCP over a WebSocket, with
// ws/netconn on both ends.
package protocols_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/rpc"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws/netconn"
)

// serve starts a server that calls handle with each connection as a net.Conn, and returns how to
// open one.
func serve(t *testing.T, handle func(net.Conn)) (dial func(context.Context) (net.Conn, error)) {
	t.Helper()
	endpoint := server.Handler(func(_ context.Context, conn *server.Conn) error {
		stream := netconn.New(conn.Conn, nil)
		defer stream.Close()
		handle(stream)
		return nil
	}, nil)
	s := httptest.NewServer(endpoint)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := isosocket.Dial(ctx, s.URL, nil)
		if err != nil {
			return nil, err
		}
		return netconn.New(conn, nil), nil
	}
}

func open(t *testing.T, dial func(context.Context) (net.Conn, error)) net.Conn {
	t.Helper()
	stream, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	return stream
}

// Arithmetic is a service of net/rpc.
type Arithmetic struct{}

// Add adds.
func (Arithmetic) Add(args [2]int, sum *int) error {
	*sum = args[0] + args[1]
	return nil
}

func TestNetRPC(t *testing.T) {
	service := rpc.NewServer()
	if err := service.Register(Arithmetic{}); err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClient(open(t, serve(t, func(c net.Conn) { service.ServeConn(c) })))
	defer client.Close()
	var calls sync.WaitGroup
	for i := range 100 {
		calls.Go(func() {
			var sum int
			if err := client.Call("Arithmetic.Add", [2]int{i, 1}, &sum); err != nil || sum != i+1 {
				t.Errorf("%d + 1 = %d, %v", i, sum, err)
			}
		})
	}
	calls.Wait()
}

func TestYamux(t *testing.T) {
	quiet := func() *yamux.Config {
		config := yamux.DefaultConfig()
		config.LogOutput = io.Discard
		return config
	}
	dial := serve(t, func(c net.Conn) {
		session, err := yamux.Server(c, quiet())
		if err != nil {
			t.Error(err)
			return
		}
		defer session.Close()
		for {
			stream, err := session.Accept()
			if err != nil {
				return
			}
			go func() {
				defer stream.Close()
				io.Copy(stream, stream)
			}()
		}
	})
	session, err := yamux.Client(open(t, dial), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var streams sync.WaitGroup
	for i := range 20 {
		streams.Go(func() {
			stream, err := session.Open()
			if err != nil {
				t.Error(err)
				return
			}
			defer stream.Close()
			data := bytes.Repeat([]byte{byte(i)}, 100_000)
			go stream.Write(data)
			got := make([]byte, len(data))
			if _, err := io.ReadFull(stream, got); err != nil || !bytes.Equal(got, data) {
				t.Errorf("stream %d: %v", i, err)
			}
		})
	}
	streams.Wait()
	if took, err := session.Ping(); err != nil || took <= 0 {
		t.Errorf("Ping: %v, %v", took, err)
	}
}

// shell serves ssh on c: each session that executes a command gets the command back.
func shell(c net.Conn, config *ssh.ServerConfig) error {
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer channel.Close()
			for r := range requests {
				r.Reply(r.Type == "exec", nil)
				if r.Type != "exec" {
					continue
				}
				var command struct{ Line string }
				ssh.Unmarshal(r.Payload, &command)
				fmt.Fprintf(channel, "%s from %s", command.Line, conn.User())
				channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
				return
			}
		}()
	}
	return nil
}

func TestSSH(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) != "right" {
			return nil, fmt.Errorf("wrong password")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	dial := serve(t, func(c net.Conn) { shell(c, config) })
	login := func(password string) (*ssh.Client, error) {
		conn, channels, requests, err := ssh.NewClientConn(open(t, dial), "example.com", &ssh.ClientConfig{
			User:            "ann",
			Auth:            []ssh.AuthMethod{ssh.Password(password)},
			HostKeyCallback: ssh.FixedHostKey(signer.PublicKey()),
		})
		if err != nil {
			return nil, err
		}
		return ssh.NewClient(conn, channels, requests), nil
	}
	client, err := login("right")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, line := range []string{"hello", strings.Repeat("long ", 5000)} {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		output, err := session.Output(line)
		if err != nil || string(output) != line+" from ann" {
			t.Errorf("%d bytes, %v", len(output), err)
		}
	}
	if _, err := login("wrong"); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("with a wrong password: %v", err)
	}
}

// listener is a net.Listener of the streams that are put into it.
type listener struct {
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.streams:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// watched tells when it was closed: an endpoint's function must not return before.
type watched struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (w *watched) Close() error {
	defer w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

func TestGRPC(t *testing.T) {
	l := &listener{streams: make(chan net.Conn), done: make(chan struct{})}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	dial := serve(t, func(c net.Conn) {
		w := &watched{Conn: c, closed: make(chan struct{})}
		select {
		case l.streams <- w:
			<-w.closed
		case <-l.done:
		}
	})
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///websocket",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 20 {
		r, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Fatalf("Check: %v, %v", r, err)
		}
	}
	// A stream, and an error of the server.
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("Watch: %v, %v", r, err)
	}
	if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "unknown"}); err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("Check of an unknown service: %v", err)
	}
}
