//go:build !js

package http2_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"

	"github.com/isosocket/isosocket/internal/testing/leak"
	_ "github.com/isosocket/isosocket/server/http2"
)

func TestMain(m *testing.M) { leak.Main(m) }

// announced returns the value of SETTINGS_ENABLE_CONNECT_PROTOCOL of a server of net/http.
func announced(t *testing.T) uint32 {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", s.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, h2.ClientPreface)
	framer := h2.NewFramer(conn, conn)
	framer.WriteSettings()
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*h2.SettingsFrame)
	if !ok {
		t.Fatalf("the first frame is %v", frame)
	}
	value, _ := settings.Value(h2.SettingEnableConnectProtocol)
	return value
}

// The package is initialised around net/http, whatever GODEBUG was, and the variable is as before.
func TestSwitch(t *testing.T) {
	if os.Getenv("HTTP2_TEST_CHILD") != "" {
		value, set := os.LookupEnv("GODEBUG")
		if got := announced(t); got != 1 {
			t.Errorf("SETTINGS_ENABLE_CONNECT_PROTOCOL is %d", got)
		}
		want, wantSet := os.LookupEnv("HTTP2_TEST_GODEBUG")
		if value != want || set != wantSet {
			t.Errorf("GODEBUG is %q, %v after the start; want %q, %v", value, set, want, wantSet)
		}
		return
	}
	for _, value := range []string{"unset", "", "http2client=0", "http2xconnect=0", "http2xconnect=1"} {
		t.Run(value, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestSwitch$", "-test.v")
			child.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "GODEBUG=") })
			child.Env = append(child.Env, "HTTP2_TEST_CHILD=1")
			if value != "unset" {
				child.Env = append(child.Env, "GODEBUG="+value, "HTTP2_TEST_GODEBUG="+value)
			}
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestSwitch") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// The order rests on the Go specification: a package is initialised before net/http if its path sorts
// before it and it imports only packages that net/http imports as well.
func TestOrder(t *testing.T) {
	const path = "github.com/isosocket/isosocket/server/http2/internal/announce"
	if path > "net/http" {
		t.Errorf("%s sorts behind net/http", path)
	}
	deps := func(path string) []string {
		out, err := exec.Command("go", "list", "-deps", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	standard := deps("net/http")
	for _, dep := range deps(path) {
		if dep == "net/http" || dep != path && !slices.Contains(standard, dep) {
			t.Errorf("%s needs %s", path, dep)
		}
	}
	for _, dep := range standard {
		if strings.Contains(dep, "http2") && dep < path {
			t.Errorf("%s, which may read GODEBUG, sorts before %s", dep, path)
		}
	}
}

// When Go has a switch for each server, it is to be used in place of this package.
func TestGoHasNoSwitch(t *testing.T) {
	config := reflect.TypeFor[http.HTTP2Config]()
	for i := range config.NumField() {
		if name := config.Field(i).Name; strings.Contains(name, "Connect") && !strings.HasSuffix(name, "Connection") {
			t.Errorf("http.HTTP2Config has a field %s: let the documentation name it, and this package only serve older versions of Go", name)
		}
	}
}
