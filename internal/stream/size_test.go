package stream

import (
	"math/bits"
	"testing"
	"unsafe"
)

// The memory allocator has a class of 704 bytes, 8 of which it takes for
// itself, and the next one is 768. There may be very many connections.
func TestTransportFitsItsSizeClass(t *testing.T) {
	if bits.UintSize != 64 {
		t.Skip("the class is another one where pointers are small")
	}
	if size := unsafe.Sizeof(Transport{}); size > 696 {
		t.Errorf("a Transport has %d bytes, more than 696", size)
	} else {
		t.Logf("a Transport has %d bytes", size)
	}
}
