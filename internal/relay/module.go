//go:build js

package relay

import "strconv"

// Functions that the module imports, as the instruction that calls each. Their
// order is that of imports.
const (
	get        = call + string(rune(iota)) // (object, name)
	number                                 // (object, name), NaN if there is none
	asObject                               // (value)
	listOf                                 // (value)
	construct                              // (class, list)
	encodeInto                             // (text, bytes)
	encode                                 // (text)
	decode                                 // (bytes)
	hand                                   // (bytes or text) to WebSocket.send
	put                                    // (bytes, offset) into scratch
	view                                   // (begin, end) of scratch
	copyOf                                 // (begin, end) of scratch
	header                                 // (offset) in scratch
	putHeader                              // (offset, header) into scratch
	keepApart                              // (bytes or text)
	nextApart                              // ()
	keepFull                               // (bytes)
	wakeGo                                 // (what there is)
	warnGo                                 // (wake, how much came, warning)
	postLate                               // (post, 0, nothing)

	seal // the module's own, in the order of functions
	deliver
	wakeWith
	transmit
	amount
)

// What waking Go depends on, as mode has it.
const (
	wakeAtOnce = one   // for each message
	wakeLate   = two   // behind the tasks that wait when a message comes
	wakeSoon   = three // is one that is on its way
)

const headerSize = four

// Globals that the module imports, as the instruction that gets each. Their
// order is that of imports.
const (
	data           = globalGet + string(rune(iota)) // names of properties
	byteLength                                      //
	length                                          //
	written                                         //
	readyState                                      //
	bufferedAmount                                  //
	bytesClass                                      // Uint8Array
	webSocket                                       //
	wake                                            // the Go function
	warning                                         // a list with an element
	nothing                                         // an empty list
	room                                            // InboundRoom
	apartSize                                       //
	atMost                                          //
	firstCeiling                                    //
)

// The module's own globals, behind those.
const (
	used     = string(rune(iota + 15)) // how much of scratch
	full                               // how many copies of a full scratch are kept
	mode                               // a Wake
	turn                               // changes whenever Go is woken or takes something
	total                              // how many bytes of messages ever came
	ceiling                            // of total; above it Go looks how many wait
	post                               // the function whose message comes to late
	lastView                           // of what send sent last
	lastSize                           // and of how many bytes it is
)

// valueImports are the types of the imported globals.
const valueImports = ref + ref + ref + ref + ref + ref + ref + ref + ref + ref + ref + i32 + i32 + f64 + f64

// ownGlobals are the types and first values of the module's own.
var ownGlobals = [...]string{
	i32 + mutable + zero + end,
	i32 + mutable + zero + end,
	i32 + mutable + zero + end,
	i32 + mutable + zero + end,
	f64 + mutable + f64Zero + end,
	f64 + mutable + firstCeiling + end,
	ref + mutable + nullRef + end,
	ref + mutable + nullRef + end,
	i32 + mutable + minusOne + end,
}

// function is one of the module's. One that is imported has no code.
type function struct {
	parameters, results string
	name                string // by which it is exported
	locals              string // how many there are, and then how many of each type
	code                string
}

// functions are the module's, imported ones first.
var functions = [...]function{
	{parameters: ref + ref, results: ref},       // get
	{parameters: ref + ref, results: f64},       // number
	{parameters: ref, results: ref},             // asObject
	{parameters: ref, results: ref},             // listOf
	{parameters: ref + ref, results: ref},       // construct
	{parameters: ref + ref, results: ref},       // encodeInto
	{parameters: ref, results: ref},             // encode
	{parameters: ref, results: ref},             // decode
	{parameters: ref},                           // hand
	{parameters: ref + i32},                     // put
	{parameters: i32 + i32, results: ref},       // view
	{parameters: i32 + i32, results: ref},       // copyOf
	{parameters: i32, results: i32},             // header
	{parameters: i32 + i32},                     // putHeader
	{parameters: ref},                           // keepApart
	{results: ref},                              // nextApart
	{parameters: ref},                           // keepFull
	{parameters: i32, results: i32},             // wakeGo
	{parameters: ref + f64 + ref, results: f64}, // warnGo
	{parameters: ref + i32 + ref},               // postLate
	{code: sealCode},
	{code: deliverCode},
	{parameters: i32, code: wakeWithCode},
	{parameters: ref + i32, code: transmitCode},
	{parameters: i32, results: f64, locals: oneLocal + "\x01" + f64, code: amountCode},
	{results: f64, name: "state", code: isOpen + amount},
	{parameters: ref, name: "arrived", locals: "\x03" + "\x01" + ref + "\x05" + i32 + "\x02" + f64, code: arrivedCode},
	{parameters: ref, name: "late", code: lateCode},
	{parameters: i32, results: i32, name: "take", locals: oneLocal + "\x01" + i32, code: takeCode},
	{parameters: i32, results: ref, name: "apart", code: apartCode},
	{results: f64, name: "total", code: globalGet + total},
	{parameters: i32, results: f64, name: "send", locals: oneLocal + "\x01" + i32, code: sendCode},
	{parameters: i32, results: f64, name: "sendMany", locals: oneLocal + "\x03" + i32, code: sendManyCode},
	{parameters: ref + i32, results: f64, name: "sendView", locals: oneLocal + "\x01" + i32, code: sendViewCode},
}

const (
	oneLocal    = "\x01"            // the declaration: of one type
	argument    = localGet + "\x00" // the first
	setArgument = localSet + "\x00"
	argument2   = localGet + "\x01"
)

// The parameter of arrived, and its locals.
const (
	event   = "\x00"
	message = "\x01" // a string, or an ArrayBuffer
	isText  = "\x02"
	size    = "\x03" // in bytes; before a text is encoded, in its own units
	need    = "\x04" // most bytes of scratch that it takes
	isApart = "\x05"
	isAlone = "\x06" // and Go is to be woken at once
	exact   = "\x07"
	before  = "\x08" // what total was
)

// What arrives is put into scratch, behind its header. Of what is too large for
// that only the header is, and itself kept apart.
const (
	arrivedCode = localGet + event + data + get + localTee + message +
		asObject + byteLength + number + localTee + exact + localGet + exact + f64NotEqual + localTee + isText +
		ifTrue + none + measureText + end +
		localGet + exact + atMost + f64Least + f64ToI32 + localTee + size +
		localGet + isText + one + shiftLeft + one + or + multiply + // a unit may become three bytes
		headerSize + add + localTee + need + apartSize + greater + localTee + isApart +
		ifTrue + none + headerSize + localSet + need + end +
		globalGet + used + localGet + need + add + room + greater +
		ifTrue + none + seal + end +
		globalGet + mode + wakeAtOnce + equal + globalGet + used + isZero + and +
		globalGet + full + isZero + and + localGet + isApart + isZero + and + localSet + isAlone +
		localGet + isApart +
		ifTrue + none + putApart +
		otherwise + localGet + isText + ifTrue + none + putText + otherwise + putBytes + end +
		end +
		localGet + isAlone + isZero + ifTrue + none + noteMessage + end +
		globalGet + total + localTee + before +
		localGet + size + headerSize + add + i32ToF64 + f64Add + globalSet + total +
		localGet + isAlone +
		ifTrue + none + theHeader + wakeWith +
		otherwise +
		globalGet + mode + wakeAtOnce + equal + ifTrue + none + deliver + end +
		globalGet + mode + wakeLate + equal + ifTrue + none + postOnce + end +
		end +
		localGet + before + globalGet + ceiling + f64Greater +
		ifTrue + none + wake + localGet + before + warning + warnGo + globalSet + ceiling + end

	measureText  = localGet + message + asObject + length + number + localSet + exact
	messageBytes = bytesClass + localGet + message + listOf + construct
	putApart     = localGet + isText + ifTrue + ref + localGet + message + otherwise + messageBytes + end + keepApart
	putText      = localGet + message + behindHeader + room + view + encodeInto + written + number + f64ToI32 + localSet + size
	putBytes     = messageBytes + behindHeader + put
	behindHeader = globalGet + used + zero + headerSize + localGet + isAlone + choose + add
	theHeader    = localGet + size + two + shiftLeft + localGet + isApart + one + shiftLeft + or + localGet + isText + or
	noteMessage  = globalGet + used + theHeader + putHeader +
		globalGet + used + headerSize + add + zero + localGet + size + localGet + isApart + choose + add + globalSet + used
	postOnce = wakeSoon + globalSet + mode + globalGet + post + zero + nothing + postLate
)

const (
	// Keeps a copy of scratch, which is full.
	sealCode = zero + globalGet + used + copyOf + keepFull +
		globalGet + full + one + add + globalSet + full +
		zero + globalSet + used

	// Calls Go with minus the number of bytes in scratch, or -1 if full ones
	// come first.
	deliverCode = globalGet + full +
		ifTrue + none + minusOne + wakeWith +
		otherwise + globalGet + used + ifTrue + none + zero + takeAll + subtract + wakeWith + end +
		end
	// What Go returns does not count if it has taken something meanwhile.
	wakeWithCode = nextTurn + globalGet + turn +
		argument + wakeGo + setArgument +
		globalGet + turn + equal +
		ifTrue + none + argument + globalSet + mode + end
	nextTurn = globalGet + turn + one + add + globalSet + turn
	takeAll  = globalGet + used + zero + globalSet + used

	// An event from post's other end.
	lateCode = globalGet + mode + wakeSoon + equal +
		ifTrue + none + wakeLate + globalSet + mode + deliver + end

	// The parameter is the mode if nothing waits.
	takeCode = nextTurn +
		globalGet + full + ifTrue + none + takeFull + end +
		takeAll + localTee + found +
		zero + argument + localGet + found + choose + globalSet + mode
	found    = "\x01"
	takeFull = globalGet + full + minusOne + add + globalSet + full +
		zero + globalSet + mode +
		minusOne + leave

	// The parameter tells a text.
	apartCode = argument + ifTrue + ref + nextApart + encode + otherwise + nextApart + end
)

const (
	// The parameters are bytes and whether they are a text.
	transmitCode = argument2 +
		ifTrue + ref + argument + decode + otherwise + argument + end +
		hand

	// A WebSocket that is not open would drop in silence what it is given, and
	// write to the console.
	isOpen = webSocket + readyState + number + f64One + f64Equal

	// The parameter tells whether it is open.
	amountCode = webSocket + bufferedAmount + number + localTee + buffered +
		localGet + buffered + f64One + f64Add + f64Negate + argument + choose
	buffered = "\x01"

	// The parameter is the header of what lies at the begin. A view is kept for
	// messages of one size.
	sendCode = isOpen + localTee + open +
		ifTrue + none +
		argument + one + shiftRight + globalGet + lastSize + notEqual + ifTrue + none + newView + end +
		globalGet + lastView + argument + one + and + transmit +
		end +
		localGet + open + amount
	newView = room + room + argument + one + shiftRight + globalSet + lastSize + globalGet + lastSize + add +
		view + globalSet + lastView
	open = "\x01"

	// The parameters are bytes and whether they are a text.
	sendViewCode = isOpen + localTee + openView +
		ifTrue + none + argument + argument2 + transmit + end +
		localGet + openView + amount
	openView = "\x02"

	// The parameter is how many bytes there are.
	sendManyCode = isOpen + localTee + openMany + ifTrue + none + sendAll + end + localGet + openMany + amount
	sendAll      = room + localTee + at + argument + add + setArgument +
		loop + none +
		localGet + at + header + localSet + current +
		localGet + at + headerSize + add + localTee + at +
		localGet + at + localGet + current + one + shiftRight + add + localTee + at + view +
		localGet + current + one + and + transmit +
		localGet + at + argument + less + branchIf + outermost +
		end
	openMany  = "\x01"
	at        = "\x02"
	current   = "\x03"
	outermost = "\x00"
)

// module returns the module's bytes.
func module() []byte {
	var types, imports, own, globals, exports, code []byte
	ownFunctions, exported := 0, 1
	for i, f := range functions {
		types = append(types, "\x60"...)
		types = appendSized(types, f.parameters)
		types = appendSized(types, f.results)
		if f.code == "" {
			imports = append(appendImport(imports, i), kindFunction...)
			imports = appendLEB(imports, i)
			continue
		}
		ownFunctions++
		own = appendLEB(own, i)
		if f.locals == "" {
			f.locals = "\x00"
		}
		code = appendSized(code, f.locals+f.code+end)
		if f.name != "" {
			exported++
			exports = append(appendSized(exports, f.name), kindFunction...)
			exports = appendLEB(exports, i)
		}
	}
	n := len(functions) - ownFunctions
	for i := range len(valueImports) {
		imports = append(appendImport(imports, n), kindGlobal...)
		imports = append(imports, valueImports[i:i+1]+immutable...)
		n++
	}
	for _, g := range ownGlobals {
		globals = append(globals, g...)
	}
	exports = append(appendSized(exports, "post"), kindGlobal+post...)

	b := []byte(wasmHeader)
	b = appendSection(b, sectionTypes, len(functions), types)
	b = appendSection(b, sectionImports, n, imports)
	b = appendSection(b, sectionFunctions, ownFunctions, own)
	b = appendSection(b, sectionGlobals, len(ownGlobals), globals)
	b = appendSection(b, sectionExports, exported, exports)
	return appendSection(b, sectionCode, ownFunctions, code)
}

// appendImport appends where the i-th value is found: in a list in a list.
func appendImport(b []byte, i int) []byte {
	return appendSized(appendSized(b, "0"), strconv.Itoa(i))
}
