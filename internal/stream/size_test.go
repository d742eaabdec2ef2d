package stream

import (
	"math/bits"
	"testing"
	"unsafe"
)

// The memory allocator has a size class of 704 bytes, of which it uses 8 itself. The next
// class has 768 bytes. There may be very many connections.
func TestTransportFitsItsSizeClass(t *testing.T) {
	if bits.UintSize != 64 {
		t.Skip("the size class differs where pointers have 4 bytes")
	}
	if size := unsafe.Sizeof(Transport{}); size > 696 {
		t.Errorf("a Transport has %d bytes, more than 696", size)
	} else {
		t.Logf("a Transport has %d bytes", size)
	}
}
