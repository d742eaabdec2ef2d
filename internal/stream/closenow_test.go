package stream

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// TestCloseNowOfAPeerThatDoesNotAnswer: neither CloseNow nor a Close after it
// waits, and all resources are released within CloseTimeout.
func TestCloseNowOfAPeerThatDoesNotAnswer(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		synctest.Test(t, func(t *testing.T) {
			c, s := net.Pipe() // the test does not read the other end
			config := ws.Config{CloseTimeout: 3 * time.Second}
			transport := New(c, Options{Role: role, Config: config})
			conn := ws.NewConn(transport, &config)
			if err := conn.Send(t.Context(), ws.Text("nobody takes it")); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := conn.CloseNow(4000, "kicked"); err != nil {
				t.Error(err)
			}
			closed, ok := errors.AsType[*errors.ConnectionClosed](conn.Err())
			if !ok || closed.Reason != 4000 || closed.Message != "kicked" || closed.Remote {
				t.Errorf("Err = %v", conn.Err())
			}
			if err := conn.Close(errors.NormalClosure, ""); err != nil {
				t.Error(err)
			}
			if d := time.Since(began); d != 0 {
				t.Errorf("CloseNow and Close took %v", d)
			}
			time.Sleep(config.CloseTimeout + time.Second)
			synctest.Wait()
			if !transport.released.Load() {
				t.Error("the stream was not released")
			}
			s.Close()
		})
	}
}
