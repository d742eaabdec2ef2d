//go:build !js

package options_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// What a negative number means in a field.
const (
	invalid = "an error that names the field"
	off     = "off, or no limit"
)

// negative holds the meaning of a negative number in each numeric field of an options struct.
var negative = map[reflect.Type]map[string]string{
	reflect.TypeFor[isosocket.DialOptions](): {
		"MaxMessageSize":   off,
		"MaxStreamSize":    off,
		"FragmentSize":     invalid,
		"SendBuffer":       invalid,
		"ReceiveBuffer":    invalid,
		"HandshakeTimeout": off,
		"CloseTimeout":     invalid,
		"PingInterval":     off,
		"PingTimeout":      invalid,
	},
	reflect.TypeFor[isosocket.NativeOptions](): {
		"MaxFragments": off,
	},
	reflect.TypeFor[isosocket.ReconnectOptions](): {
		"BaseDelay":   invalid,
		"MaxDelay":    invalid,
		"StableAfter": invalid,
		"MaxAttempts": invalid,
	},
	reflect.TypeFor[isosocket.ClientOptions](): {
		"MaxUnread": off,
	},
	reflect.TypeFor[isosocket.Outbox](): {
		"MaxMessages": invalid,
		"MaxBytes":    invalid,
	},
	reflect.TypeFor[ws.Heartbeat](): {
		"Every":   invalid,
		"Timeout": invalid,
	},
	reflect.TypeFor[ws.Compression](): {
		"Level":         invalid,
		"Threshold":     invalid,
		"MaxWindowBits": invalid,
	},
	reflect.TypeFor[ws.Config](): {
		"MaxMessageSize": off,
		"MaxStreamSize":  off,
		"FragmentSize":   invalid,
		"SendBuffer":     invalid,
		"ReceiveBuffer":  invalid,
		"CloseTimeout":   invalid,
	},
	reflect.TypeFor[server.Options](): {
		"MaxMessageSize": off,
		"MaxStreamSize":  off,
		"FragmentSize":   invalid,
		"MaxFragments":   off,
		"SendBuffer":     invalid,
		"ReceiveBuffer":  invalid,
		"CloseTimeout":   invalid,
		"PingInterval":   off,
		"PingTimeout":    invalid,
	},
	reflect.TypeFor[server.Limits](): {
		"MaxConnections":           off,
		"MaxConnectionsPerAddress": off,
		"HandshakeRate":            off,
		"MaxMemory":                off,
		"MessageRate":              off,
		"ByteRate":                 off,
		"IdleTimeout":              off,
		"MaxLifetime":              off,
	},
	reflect.TypeFor[server.DrainOptions](): {
		"Spread":     off,
		"RetryAfter": off,
	},
	reflect.TypeFor[hub.Options](): {
		"Grace": off,
	},
	reflect.TypeFor[hub.Rules](): {
		"History": off,
		"Age":     invalid,
		"IDs":     off,
	},
	reflect.TypeFor[hub.Limits](): {
		"Topics":      off,
		"TopicLength": invalid,
		"Unread":      off,
		"MessageSize": off,
		"AllTopics":   off,
		"Keys":        off,
		"Recovery":    off,
	},
	reflect.TypeFor[hub.JoinOptions]():    {},
	reflect.TypeFor[hub.PublishOptions](): {},
	reflect.TypeFor[hub.MemoryOptions](): {
		"MaxTopics": off,
		"MaxBytes":  off,
		"Forget":    off,
	},
	reflect.TypeFor[topicserver.Options](): {
		"PublishRate":   off,
		"SubscribeRate": off,
	},
	reflect.TypeFor[topic.Options](): {},
	reflect.TypeFor[topic.SubscribeOptions](): {
		"Buffer": invalid,
	},
	reflect.TypeFor[topic.PublishOptions](): {},
}

// dialError returns the error of Dial for o before it tries to connect, or nil if it tries.
func dialError(t *testing.T, o *isosocket.DialOptions) error {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := isosocket.Dial(ctx, "ws://127.0.0.1:1/", o)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// clientError returns the error that ends a Client with o before it connects, or nil.
func clientError(t *testing.T, o *isosocket.ClientOptions) error {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := isosocket.NewClient(ctx, "ws://127.0.0.1:1/", o)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, errors.GoingAway) {
		return err
	}
	return nil
}

// endpointError returns the error that an Endpoint with o logs for a request that it cannot
// serve, or nil.
func endpointError(t *testing.T, o server.Options) error {
	var logged strings.Builder
	o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	e := server.Handler(func(context.Context, *server.Conn) error { return nil }, &o)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code == 500 {
		return errors.New(logged.String())
	}
	return nil
}

// hubError returns what a Hub with o says of a publication.
func hubError(t *testing.T, o hub.Options) error {
	h, err := hub.New(&o)
	if err != nil {
		return err
	}
	defer h.Close(t.Context())
	_, err = h.Publish(t.Context(), "t", ws.Text("x"), nil)
	return err
}

// accepted returns the error of the package for a struct of options, or nil.
func accepted(t *testing.T, options any) error {
	t.Helper()
	switch o := options.(type) {
	case isosocket.DialOptions:
		return dialError(t, &o)
	case isosocket.NativeOptions:
		return dialError(t, &isosocket.DialOptions{Native: &o})
	case isosocket.ReconnectOptions:
		return clientError(t, &isosocket.ClientOptions{Reconnect: &o})
	case isosocket.ClientOptions:
		return clientError(t, &o)
	case isosocket.Outbox:
		return clientError(t, &isosocket.ClientOptions{Outbox: &o})
	case ws.Heartbeat:
		if err := endpointError(t, server.Options{AnswerHeartbeat: &o}); err == nil {
			return dialError(t, &isosocket.DialOptions{Heartbeat: &o})
		} else if dialError(t, &isosocket.DialOptions{Heartbeat: &o}) == nil {
			t.Errorf("the server refuses %+v and the client does not", o)
		}
		return dialError(t, &isosocket.DialOptions{Heartbeat: &o})
	case ws.Compression:
		err := dialError(t, &isosocket.DialOptions{Compression: &o})
		if served := endpointError(t, server.Options{Compression: &o}); (served == nil) != (err == nil) {
			t.Errorf("the client returns %v for %+v, and the server %v", err, o, served)
		}
		return err
	case ws.Config:
		return o.Check()
	case server.Options:
		return endpointError(t, o)
	case server.Limits:
		return endpointError(t, server.Options{Limits: &o})
	case hub.Options:
		return hubError(t, o)
	case hub.Rules:
		return hubError(t, hub.Options{Rules: func(string) hub.Rules { return o }})
	case hub.Limits:
		return hubError(t, hub.Options{Limits: o})
	case hub.JoinOptions, hub.PublishOptions:
		return nil // no quantities
	case hub.MemoryOptions:
		_, err := hub.NewMemory(&o)
		return err
	case topic.Options, topic.PublishOptions:
		return nil // no quantities
	case topic.SubscribeOptions:
		c := topic.NewClient(t.Context(), "ws://127.0.0.1:1/", nil)
		defer c.Close(errors.NormalClosure, "")
		return c.Subscribe("t", &o).Err()
	case topicserver.Options:
		h, err := hub.New(nil)
		if err != nil {
			return err
		}
		defer h.Close(t.Context())
		_, err = topicserver.New(h, topicserver.Access{}, &o)
		return err
	case server.DrainOptions:
		return server.Handler(nil, nil).Drain(t.Context(), &o)
	}
	t.Fatalf("no test for a %T", options)
	return nil
}

func TestOptionsFollowOneRule(t *testing.T) {
	for typ, fields := range negative {
		t.Run(typ.String(), func(t *testing.T) {
			if err := accepted(t, reflect.Zero(typ).Interface()); err != nil {
				t.Errorf("the zero value is refused: %v", err)
			}
			known := 0
			for i := range typ.NumField() {
				field := typ.Field(i)
				if !field.Type.ConvertibleTo(reflect.TypeFor[int64]()) || field.Type.Kind() < reflect.Int || field.Type.Kind() > reflect.Int64 {
					continue
				}
				want, ok := fields[field.Name]
				if !ok {
					if field.Type == reflect.TypeFor[errors.CloseReason]() {
						continue // not a quantity
					}
					t.Errorf("the table does not say what a negative %s means", field.Name)
					continue
				}
				known++
				value := reflect.New(typ).Elem()
				value.Field(i).SetInt(-1)
				err := accepted(t, value.Interface())
				switch {
				case want == off && err != nil:
					t.Errorf("%s -1 is refused: %v", field.Name, err)
				case want == invalid && err == nil:
					t.Errorf("%s -1 is accepted", field.Name)
				case want == invalid && !strings.Contains(err.Error(), field.Name):
					t.Errorf("%s -1: the error does not name the field: %v", field.Name, err)
				}
			}
			if known != len(fields) {
				t.Errorf("the table has fields that do not exist: %v", fields)
			}
		})
	}
}
