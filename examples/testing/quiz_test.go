package testing

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func TestRightAnswer(t *testing.T) {
	server, player := ws.Pipe(nil, nil)
	done := make(chan error, 1)
	go func() { done <- Quiz(t.Context(), server) }()

	if m, err := player.Receive(t.Context()); err != nil || m.String() != "6 x 7?" {
		t.Fatal(m, err)
	}
	if err := player.Send(t.Context(), ws.Text("42")); err != nil {
		t.Fatal(err)
	}
	if m, err := player.Receive(t.Context()); err != nil || m.String() != "right" {
		t.Fatal(m, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Half a minute passes at once in a bubble of synctest.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, player := ws.Pipe(nil, nil)
		began := time.Now()
		err := Quiz(t.Context(), server)
		if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Reason != TooSlow {
			t.Errorf("Quiz returned %v", err)
		}
		if passed := time.Since(began); passed != TimeToAnswer {
			t.Errorf("after %v", passed)
		}
		player.Close(errors.NormalClosure, "")
		server.Close(errors.NormalClosure, "")
	})
}

// The player has gone.
func TestLostPlayer(t *testing.T) {
	server, player := ws.Pipe(nil, nil)
	player.Close(errors.GoingAway, "")
	if err := Quiz(t.Context(), server); !errors.Is(err, errors.GoingAway) {
		t.Errorf("Quiz returned %v", err)
	}
}
