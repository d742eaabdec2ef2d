package nats

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nuid"

	"github.com/isosocket/isosocket/hub"
)

// startServer starts a server of NATS on a port of its own.
func startServer(t testing.TB, jetStream bool) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: jetStream}
	if jetStream {
		o.StoreDir = t.TempDir()
	}
	return runServer(t, o)
}

func runServer(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stopServer(s) })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server of NATS does not start")
	}
	return s
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// prefix returns a prefix that no other test uses.
func prefix() string { return "test-" + nuid.Next() }

// connect returns an engine that the test closes.
func connect(t testing.TB, url string, o *Options) *Engine {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := Connect(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) }) // some tests have closed it
	return e
}

// openEngines returns an enginetest.Target.Open.
func openEngines(url string, o Options) func(t testing.TB, n int) []hub.Engine {
	return func(t testing.TB, n int) []hub.Engine {
		o := o
		o.Prefix = prefix()
		engines := make([]hub.Engine, n)
		for i := range engines {
			engines[i] = connect(t, url, &o)
		}
		return engines
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	within(t, time.Minute, what, condition)
}

func within(t testing.TB, d time.Duration, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so within %v: %s", d, what)
		}
	}
}
