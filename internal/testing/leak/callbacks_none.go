//go:build !(js && callbacks)

package leak

// CountsCallbacks reports whether this binary was built so that callbacks are counted.
const CountsCallbacks = false

func callbacks() map[uint32]bool { return nil }
