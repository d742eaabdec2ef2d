package rfc6455

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// jsonMessages returns n messages of about size bytes, with the same keys and different values.
func jsonMessages(n, size int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango")
	messages := make([][]byte, n)
	for i := range messages {
		var b strings.Builder
		fmt.Fprintf(&b, `{"type":"update","seq":%d,"items":[`, 1000+i)
		for k := 0; b.Len() < size-90; k++ {
			if k > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":%d,"name":"%s %s","price":%.2f,"active":%t,"tags":["%s","%s"]}`,
				random.IntN(1e6), words[random.IntN(len(words))], words[random.IntN(len(words))],
				random.Float64()*1000, random.IntN(2) == 0, words[random.IntN(len(words))], words[random.IntN(len(words))])
		}
		b.WriteString(`]}`)
		messages[i] = []byte(b.String())
	}
	return messages
}

func deflateCases() map[string]*DeflateParams {
	return map[string]*DeflateParams{
		"takeover":   {},
		"notakeover": {ServerNoContextTakeover: true, ClientNoContextTakeover: true},
	}
}

func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{256, 1 << 10, 16 << 10, 256 << 10} {
		messages := jsonMessages(max(64, 256<<10/size), size) // far more than a window
		for name, params := range deflateCases() {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				var e Encoder
				e.Init(Server, params, DeflatePolicy{Threshold: -1})
				var dst []byte
				raw, wire := 0, 0
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					m := messages[i%len(messages)]
					i++
					dst, _ = e.AppendMessage(dst[:0], OpText, m)
					raw += len(m)
					wire += len(dst)
				}
				b.SetBytes(int64(raw / i))
				b.ReportMetric(100*float64(wire)/float64(raw), "%size")
			})
		}
	}
}

// BenchmarkRest is BenchmarkDeflate for a connection that rests after each message. It measures
// the cost of the first message after a pause, with a full window.
func BenchmarkRest(b *testing.B) {
	for _, size := range []int{256, 1 << 10, 16 << 10, 256 << 10} {
		messages := jsonMessages(max(64, 256<<10/size), size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var e Encoder
			e.Init(Server, &DeflateParams{}, DeflatePolicy{Threshold: -1})
			var dst []byte
			for _, m := range messages {
				dst, _ = e.AppendMessage(dst[:0], OpText, m)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			i := 0
			for b.Loop() {
				e.Rest()
				dst, _ = e.AppendMessage(dst[:0], OpText, messages[i%len(messages)])
				i++
			}
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	for _, size := range []int{256, 1 << 10, 16 << 10, 256 << 10} {
		messages := jsonMessages(max(64, 256<<10/size), size) // far more than a window
		for name, params := range deflateCases() {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				var e Encoder
				e.Init(Server, params, DeflatePolicy{Threshold: -1})
				var wires [][]byte
				for _, m := range messages {
					wire, _ := e.AppendMessage(nil, OpText, m)
					wires = append(wires, wire)
				}
				var d Decoder
				buf := make([]byte, 0, size+1024)
				b.ReportAllocs()
				raw, i := 0, 0
				for b.Loop() {
					if i%len(wires) == 0 { // the first message must come first
						d.Release()
						d.Init(Client, 0, params)
					}
					d.SetBuffer(buf)
					if _, ev, err := d.Decode(wires[i%len(wires)]); ev != EventMessage || err != nil {
						b.Fatal(ev, err)
					}
					_, data := d.Message()
					raw += len(data)
					i++
				}
				b.SetBytes(int64(raw / i))
			})
		}
	}
}
