//go:build js && callbacks

package leak

import (
	"sync"
	"syscall/js"
	_ "unsafe" // for linkname
)

// CountsCallbacks reports whether this binary was built so that callbacks are counted.
const CountsCallbacks = true

// js.FuncOf adds entries to this table, and Release removes them.
var (
	//go:linkname funcs syscall/js.funcs
	funcs map[uint32]func(this js.Value, args []js.Value) any

	//go:linkname funcsMu syscall/js.funcsMu
	funcsMu sync.Mutex
)

// callbacks returns the callbacks that have not been released.
func callbacks() map[uint32]bool {
	funcsMu.Lock()
	defer funcsMu.Unlock()
	all := make(map[uint32]bool)
	for id := range funcs {
		all[id] = true
	}
	return all
}
