package wstest

// Case is one row of the specification: an event and its outcome.
type Case struct {
	// ID names the row: P01 and up, or D01 and up for rows that only show differences.
	ID string
	// Event says what happens.
	Event string
	// Outcome describes the required outcome in words.
	Outcome string
	// Why names the reason for the outcome: a section of RFC 6455, a step of
	// the WHATWG specification, or a guarantee of this library.
	Why string
	// Want lists the required observations, in order.
	Want []Expectation

	run func(*row)
}

// Expectation is one observation that a case must make.
type Expectation struct {
	// Key names the observation.
	Key string
	// Native and Browser are the values that targets of these classes must show.
	Native, Browser string
	// Difference is the id of the entry of Differences that allows Native and
	// Browser to differ, "" if they are the same.
	Difference string
}

// Value returns the value that a target of class must show.
func (e Expectation) Value(class Class) string {
	if class == Browser {
		return e.Browser
	}
	return e.Native
}

// same expects value on every target.
func same(key, value string) Expectation {
	return Expectation{Key: key, Native: value, Browser: value}
}

// differs expects different values, as the entry of Differences allows.
func differs(difference, key, native, browser string) Expectation {
	return Expectation{Key: key, Native: native, Browser: browser, Difference: difference}
}

// Cases returns every case, in order. The caller owns the slice.
func Cases() []Case {
	var all []Case
	for _, part := range [][]Case{
		messageCases(), closeCases(), receiveCases(), sendCases(), dialCases(), livenessCases(), bufferCases(),
		heartbeatCases(), noWaitCases(), agreementCases(), streamCases(), differenceCases(),
	} {
		all = append(all, part...)
	}
	return all
}
