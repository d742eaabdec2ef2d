//go:build !js

package handshake

import (
	"io"
	"net"
	"reflect"
)

// connOf returns the connection below the body of a 101, if that body is
// net/http's own, and nil otherwise. A RoundTripper may wrap the body, to end a trace
// on close or to transform the bytes, and then expects that the wrapped body is used.
func connOf(body io.ReadWriteCloser) net.Conn {
	t := reflect.TypeOf(body)
	if t.Kind() != reflect.Pointer || t.Elem().PkgPath() != "net/http" || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	// The field by which readWriteCloserBody embeds the connection.
	below := reflect.ValueOf(body).Elem().FieldByName("ReadWriteCloser")
	if !below.IsValid() || !below.CanInterface() {
		return nil
	}
	conn, _ := below.Interface().(net.Conn)
	if first, ok := conn.(*ClientFirst); ok {
		return first.Conn // the handshake is over
	}
	return conn
}
