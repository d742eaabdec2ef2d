package rfc6455

import (
	"strings"
	"unicode/utf8"
)

// codeNoStatus represents a close frame without a status (RFC 6455, section 7.1.5). It is never
// sent.
const codeNoStatus = 1005

// maxCloseMessage is the size of a control frame's payload without the two bytes of the code.
const maxCloseMessage = maxControl - 2

// ValidCloseCode reports whether a close frame may carry code: 1000 to 1003, 1007 to 1014 and 3000
// to 4999 (RFC 6455, section 7.4, and the IANA registry for 1012 to 1014).
func ValidCloseCode(code uint16) bool {
	switch {
	case code >= 3000:
		return code <= 4999
	case code >= 1007:
		return code <= 1014
	}
	return code >= 1000 && code <= 1003
}

// closeFailure returns the error of the payload of a close frame, or nil.
func closeFailure(payload []byte) *Error {
	if len(payload) == 0 {
		return nil
	}
	if len(payload) == 1 {
		return failure(codeProtocolError, "close frame with a payload of 1 byte: it must be empty or start with a 2-byte code")
	}
	if code := uint16(payload[0])<<8 | uint16(payload[1]); !ValidCloseCode(code) {
		return failure(codeProtocolError, "close code %d must not be sent: allowed are 1000-1003, 1007-1014 and 3000-4999", code)
	}
	if !utf8.Valid(payload[2:]) {
		return failure(codeInvalidPayload, "close message is not valid UTF-8")
	}
	return nil
}

// closeMessage returns message as a close frame can carry it: invalid bytes are replaced by
// U+FFFD, and it is cut at the last whole rune within 123 bytes.
func closeMessage(message string) string {
	if !utf8.ValidString(message) {
		message = strings.ToValidUTF8(message, "\uFFFD")
	}
	if len(message) <= maxCloseMessage {
		return message
	}
	end := maxCloseMessage
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end]
}
