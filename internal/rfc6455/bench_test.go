package rfc6455

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkDecode measures the cost of one frame if a read returned 32 of them.
func BenchmarkDecode(b *testing.B) {
	const frames = 32
	for _, role := range []Role{Server, Client} {
		for _, op := range []Opcode{OpBinary, OpText} {
			for _, size := range []int{16, 64, 512, 4 << 10, 64 << 10} {
				b.Run(fmt.Sprintf("%v/%v/%d", role, op, size), func(b *testing.B) {
					var e Encoder
					e.Init(1-role, nil, DeflatePolicy{})
					var wire []byte
					for range frames {
						wire, _ = e.AppendMessage(wire, op, bytes.Repeat([]byte("x"), size))
					}
					var d Decoder
					d.Init(role, 0, nil)
					// ASCII under any key: the payload is unmasked out of place, so the wire
					// survives.
					buf := make([]byte, 0, size)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for i := 0; i < b.N; i += frames {
						p := wire
						for range frames {
							d.SetBuffer(buf)
							n, ev, err := d.Decode(p)
							if ev != EventMessage || err != nil {
								b.Fatal(ev, err)
							}
							p = p[n:]
							d.Message()
						}
					}
				})
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, role := range []Role{Server, Client} {
		for _, size := range []int{16, 64, 512, 4 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%v/%d", role, size), func(b *testing.B) {
				var e Encoder
				e.Init(role, nil, DeflatePolicy{})
				payload := make([]byte, size)
				var dst []byte
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					dst, _ = e.AppendMessage(dst[:0], OpBinary, payload)
				}
			})
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{7, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			key := uint32(0x12345678)
			b.SetBytes(int64(size))
			for b.Loop() {
				key = Mask(key, p)
			}
		})
	}
}
