//go:build js

package jscall

import "testing"

// deep calls f from n functions deep.
func deep(n int, f func()) {
	if n > 0 {
		deep(n-1, f)
		return
	}
	f()
}

func TestInCallback(t *testing.T) {
	if InCallback() {
		t.Error("a test is not a callback")
	}
	for _, depth := range []int{0, 10, 16, 200} {
		deep(depth, func() {
			if InCallback() {
				t.Errorf("a test is not a callback, %d calls deep", depth)
			}
		})
		other := make(chan bool, 1)
		inside, nested := false, false
		var f Func
		f = must[Func](t)(FuncOf(func(_ Value, args []Value) any {
			deep(depth, func() { inside = InCallback() })
			go func() { other <- InCallback() }()
			if len(args) == 0 { // in a call that Go makes from a callback
				if _, err := f.Value().Invoke(1); err != nil {
					t.Error(err)
				}
				nested = InCallback()
			}
			return nil
		}))
		must[Value](t)(f.Value().Invoke())
		if !inside || !nested {
			t.Errorf("a callback %d calls deep: %v, after another inside it: %v", depth, inside, nested)
		}
		if <-other {
			t.Error("a goroutine that a callback starts is not in a callback")
		}
		if InCallback() {
			t.Error("the caller of a callback is not in a callback")
		}
		f.Release()

		// One that the event loop calls.
		later := make(chan bool, 1)
		f = must[Func](t)(FuncOf(func(Value, []Value) any {
			deep(depth, func() { later <- InCallback() })
			return nil
		}))
		must[Value](t)(global(t, "setTimeout").Invoke(f, 0))
		if !<-later {
			t.Errorf("a callback of the event loop, %d calls deep, is not found", depth)
		}
		f.Release()
	}
}

func BenchmarkInCallback(b *testing.B) {
	for _, depth := range []int{0, 10} {
		deep(depth, func() {
			b.Run("", func(b *testing.B) {
				for b.Loop() {
					InCallback()
				}
			})
		})
	}
}
