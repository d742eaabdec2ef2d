//go:build js

package relay

// The WebAssembly of the relay, as constants that read as its text format does
// (WebAssembly Core Specification, section 5). Go puts them together when it
// compiles; only what is counted is so at run time.
const (
	wasmHeader = "\x00asm\x01\x00\x00\x00"

	sectionTypes     = "\x01"
	sectionImports   = "\x02"
	sectionFunctions = "\x03"
	sectionGlobals   = "\x06"
	sectionExports   = "\x07"
	sectionCode      = "\x0a"

	kindFunction = "\x00"
	kindGlobal   = "\x03"
	immutable    = "\x00"
	mutable      = "\x01"

	ref  = "\x6f" // externref
	i32  = "\x7f"
	f64  = "\x7c"
	none = "\x40"

	ifTrue    = "\x04"
	otherwise = "\x05"
	loop      = "\x03"
	branchIf  = "\x0d"
	end       = "\x0b"
	leave     = "\x0f" // return
	call      = "\x10"
	choose    = "\x1b" // select
	localGet  = "\x20"
	localSet  = "\x21"
	localTee  = "\x22"
	globalGet = "\x23"
	globalSet = "\x24"
	nullRef   = "\xd0\x6f"

	minusOne = "\x41\x7f" // i32.const -1, and so on
	zero     = "\x41\x00"
	one      = "\x41\x01"
	two      = "\x41\x02"
	three    = "\x41\x03"
	four     = "\x41\x04"
	f64Zero  = "\x44\x00\x00\x00\x00\x00\x00\x00\x00"
	f64One   = "\x44\x00\x00\x00\x00\x00\x00\xf0\x3f"

	isZero     = "\x45" // of i32, which are unsigned
	equal      = "\x46"
	notEqual   = "\x47"
	less       = "\x49"
	greater    = "\x4b"
	add        = "\x6a"
	subtract   = "\x6b"
	multiply   = "\x6c"
	and        = "\x71"
	or         = "\x72"
	shiftLeft  = "\x74"
	shiftRight = "\x76"

	f64Equal    = "\x61"
	f64NotEqual = "\x62"
	f64Greater  = "\x64"
	f64Negate   = "\x9a"
	f64Add      = "\xa0"
	f64Least    = "\xa4"
	f64ToI32    = "\xfc\x03" // what does not fit becomes what is nearest
	i32ToF64    = "\xb8"
)

// appendLEB appends n in LEB128, as lengths are written.
func appendLEB(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// appendSized appends s behind its length.
func appendSized(b []byte, s string) []byte { return append(appendLEB(b, len(s)), s...) }

// appendSection appends a section that is a list of n items.
func appendSection(b []byte, id string, n int, items []byte) []byte {
	count := appendLEB(nil, n)
	b = appendLEB(append(b, id...), len(count)+len(items))
	return append(append(b, count...), items...)
}
