//go:build js

package jscall

// Builtins makes setup calls to functions reachable from the global
// object. It keeps the first error in Err, after which it does nothing.
// Its methods are not inlined, for a smaller client. The zero Builtins is ready.
type Builtins struct {
	Err   error
	found map[string]Value
}

// Get returns the property at the end of path, which starts at the global object.
//
//go:noinline
func (b *Builtins) Get(path ...string) Value {
	if b.found == nil {
		b.found = make(map[string]Value)
	}
	v, key := Global(), ""
	for _, name := range path {
		key += "." + name
		next, ok := b.found[key]
		if !ok {
			next = b.Property(v, name)
			b.found[key] = next
		}
		v = next
	}
	return v
}

// Property returns a property of v.
//
//go:noinline
func (b *Builtins) Property(v Value, name string) (p Value) {
	if b.Err == nil {
		p, b.Err = v.Get(name)
	}
	return p
}

// Set sets a property of v.
//
//go:noinline
func (b *Builtins) Set(v Value, name string, value any) {
	if b.Err == nil {
		b.Err = v.Set(name, value)
	}
}

// Call calls a method of v.
//
//go:noinline
func (b *Builtins) Call(v Value, method string, args ...any) (result Value) {
	if b.Err == nil {
		result, b.Err = v.Call(method, args...)
	}
	return result
}

// Invoke calls f.
//
//go:noinline
func (b *Builtins) Invoke(f Value, args ...any) (result Value) {
	if b.Err == nil {
		result, b.Err = f.Invoke(args...)
	}
	return result
}

// New returns a new object of a class that is a property of the global object.
//
//go:noinline
func (b *Builtins) New(class string, args ...any) Value { return b.Construct(b.Get(class), args...) }

// Construct returns a new object of class.
//
//go:noinline
func (b *Builtins) Construct(class Value, args ...any) (v Value) {
	if b.Err == nil {
		v, b.Err = class.New(args...)
	}
	return v
}

// Method returns the method of v with v bound as this.
//
//go:noinline
func (b *Builtins) Method(v Value, name string) Value {
	return b.Call(b.Property(v, name), "bind", v)
}

// List returns a new array.
//
//go:noinline
func (b *Builtins) List(elements ...any) Value { return b.Call(b.Get("Array"), "of", elements...) }
