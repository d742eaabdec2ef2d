package nats

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

func TestInvalidOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]Options{
		"Options.Messages is negative: -1":                    {Messages: -1},
		"Options.Replicas is negative: -1":                    {Replicas: -1},
		"Options.Queue is negative: -2":                       {Queue: -2},
		"Options.Age is negative: -1s":                        {Age: -time.Second},
		"Options.IDs is negative: -1s":                        {IDs: -time.Second},
		"Options.Lease is negative: -1s":                      {Lease: -time.Second},
		"Options.Check is negative: -1s":                      {Check: -time.Second},
		"Options.Timeout is negative: -1s":                    {Timeout: -time.Second},
		"Options.Lease is 100ms; the least is 300ms":          {Lease: 100 * time.Millisecond},
		"Options.IDs is 2m0s, above Options.Age, 1m0s":        {Age: time.Minute},
		`Options.Prefix is "a.b"; allowed are`:                {Prefix: "a.b"},
		"Options.NATS forbids to reconnect":                   {NATS: []natsio.Option{natsio.NoReconnect()}},
		"Options.NATS sets MaxReconnects to 5; allowed is -1": {NATS: []natsio.Option{natsio.MaxReconnects(5)}},
		"Options.NATS sets ReconnectBufSize to 100":           {NATS: []natsio.Option{natsio.ReconnectBufSize(100)}},
		"Options.NATS sets UseOldRequestStyle":                {NATS: []natsio.Option{natsio.UseOldRequestStyle()}},
		"hub/nats: Options.NATS: nats:":                       {NATS: []natsio.Option{natsio.RootCAs("/does/not/exist")}},
	} {
		_, err := Connect(t.Context(), "nats://127.0.0.1:1", &o)
		if err == nil || !strings.Contains(err.Error(), want) && !strings.HasPrefix(want, "hub/nats: Options.NATS") || !errors.Is(err, errors.ErrWebSocket) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestConnectSaysWhyItFails(t *testing.T) {
	if _, err := Connect(t.Context(), "nats://127.0.0.1:1", nil); !errors.Is(err, errors.ErrWebSocket) || !strings.HasPrefix(err.Error(), "hub/nats: connect: ") {
		t.Errorf("without a server: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Connect(ctx, "nats://127.0.0.1:1", &Options{NATS: []natsio.Option{natsio.RetryOnFailedConnect(true)}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a server, and with RetryOnFailedConnect: %v", err)
	}
	s := startServer(t, false)
	if _, err := Connect(t.Context(), s.ClientURL(), nil); err == nil || !strings.Contains(err.Error(), "JetStream is not available: enable it, or set Options.NoHistory") {
		t.Errorf("without JetStream: %v", err)
	}
	// Somebody else's stream.
	s = startServer(t, true)
	nc, err := natsio.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "other", Subjects: []string{"isosocket.>"}, Storage: jetstream.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(t.Context(), s.ClientURL(), nil); err == nil || !strings.Contains(err.Error(), `the stream "other" cannot be used: its subjects are isosocket.>; allowed is isosocket.h.*`) {
		t.Errorf("with another stream: %v", err)
	}
}

func TestPageOfOptionsIsComplete(t *testing.T) {
	page, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "`Options` of `hub/nats`")
	if !ok {
		t.Fatal("docs/options.md has no table of hub/nats")
	}
	section, _, _ = strings.Cut(section, "\n\n")
	for field := range reflect.TypeFor[Options]().Fields() {
		if field.IsExported() && !strings.Contains(section, "`"+field.Name+"`") {
			t.Errorf("docs/options.md does not list %s", field.Name)
		}
	}
}

func TestNamesBecomeTokens(t *testing.T) {
	seen := map[string]string{}
	names := []string{"a", "A", "a.b", "a=2Eb", "*", ">", " ", "=marker", "é", "e\u0301", strings.Repeat("\xf0\x9f\x98\x80", 63), "\x00", "\r\n", "_", "-", "$JS"}
	for _, name := range names {
		k := token(name)
		if strings.ContainsAny(k, " .*>\r\n\t\x00$") || k == markerToken || k == "" {
			t.Errorf("the token of %q is %q", name, k)
		}
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have the same token", name, other)
		}
		seen[k] = name
	}
	if token("room-1_A") != "room-1_A" || token("a b") != "a=20b" {
		t.Errorf("tokens: %q, %q", token("room-1_A"), token("a b"))
	}
}

func FuzzDecode(f *testing.F) {
	p := packet{flags: flagNoChain, source: "epoch", number: 7, entry: hub.Entry{Key: "k", ID: "i", Except: "e", Message: ws.Text("text")}}
	f.Add(p.encode())
	f.Add([]byte{version, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(p.encode())
		if err != nil || again.flags != p.flags || again.source != p.source || again.number != p.number || again.entry.Key != p.entry.Key ||
			again.entry.ID != p.entry.ID || again.entry.Except != p.entry.Except || string(again.entry.Message.Data) != string(p.entry.Message.Data) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}
