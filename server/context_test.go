//go:build !js

package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
)

type requestValue struct{}

func TestTheContextOfAFunction(t *testing.T) {
	t.Parallel()
	uses := map[string]func(t *testing.T, ctx context.Context, end func()){
		"Err alone": func(t *testing.T, ctx context.Context, end func()) {
			if err := ctx.Err(); err != nil {
				t.Errorf("before the end: Err = %v", err)
			}
			end()
		},
		"Done before the end": func(t *testing.T, ctx context.Context, end func()) {
			done := ctx.Done()
			select {
			case <-done:
				t.Error("Done is closed before the end")
			default:
			}
			end()
			<-done
		},
		"Done behind the end": func(t *testing.T, ctx context.Context, end func()) {
			end()
			<-ctx.Done()
		},
		"derived before the end": func(t *testing.T, ctx context.Context, end func()) {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			end()
			<-derived.Done()
			if cause := context.Cause(derived); !errors.Is(cause, errors.GoingAway) {
				t.Errorf("the derived context's cause is %v", cause)
			}
		},
		"AfterFunc": func(t *testing.T, ctx context.Context, end func()) {
			called := make(chan struct{})
			context.AfterFunc(ctx, func() { close(called) })
			end()
			<-called
		},
		"values": func(t *testing.T, ctx context.Context, end func()) {
			if v := ctx.Value(requestValue{}); v != "of the request" {
				t.Errorf("Value = %v", v)
			}
			if v := ctx.Value("unknown"); v != nil {
				t.Errorf("Value of an unknown key = %v", v)
			}
			if _, ok := ctx.Deadline(); ok {
				t.Error("there is a deadline")
			}
			end()
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			returned := make(chan struct{})
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				defer close(returned)
				use(t, ctx, func() { conn.Close(errors.GoingAway, "enough") })
				if err := ctx.Err(); err != context.Canceled {
					t.Errorf("after the end: Err = %v", err)
				}
				if cause := context.Cause(ctx); !errors.Is(cause, errors.GoingAway) {
					t.Errorf("the cause is %v", cause)
				}
				return nil
			}, nil)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				e.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestValue{}, "of the request")))
			}))
			defer s.Close()
			conn := dial(t, s, nil)
			conn.Receive(timeout(t))
			<-returned
		})
	}
}
