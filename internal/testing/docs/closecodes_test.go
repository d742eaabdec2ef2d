//go:build !js

package docs_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
)

// TestCloseCodes holds the table of docs/close-codes.md against package errors and DefaultRetry.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	constants := map[string]errors.CloseReason{
		"NormalClosure": errors.NormalClosure, "GoingAway": errors.GoingAway, "ProtocolError": errors.ProtocolError,
		"UnsupportedData": errors.UnsupportedData, "NoStatusReceived": errors.NoStatusReceived,
		"AbnormalClosure": errors.AbnormalClosure, "InvalidPayload": errors.InvalidPayload,
		"PolicyViolation": errors.PolicyViolation, "MessageTooBig": errors.MessageTooBig,
		"MandatoryExtension": errors.MandatoryExtension, "InternalError": errors.InternalError,
		"ServiceRestart": errors.ServiceRestart, "TryAgainLater": errors.TryAgainLater, "BadGateway": errors.BadGateway,
		"TLSHandshake": errors.TLSHandshake,
	}
	word := map[bool]string{true: "yes", false: "no"}
	rows := regexp.MustCompile("(?m)^\\| (\\d+) \\| `(\\w+)` \\| [^|]+ \\| (\\w+) \\| (\\w+) \\|$").FindAllStringSubmatch(readPage(t, "docs/close-codes.md"), -1)
	for _, row := range rows {
		reason, ok := constants[row[2]]
		delete(constants, row[2])
		if !ok || strconv.Itoa(int(reason)) != row[1] {
			t.Errorf("%s is %d, not %s", row[2], reason, row[1])
		}
		again := isosocket.DefaultRetry(&errors.ConnectionClosed{Reason: reason, Remote: !reason.Reserved()})
		if row[3] != word[reason.Sendable()] || row[4] != word[again] {
			t.Errorf("%v: sendable %v, again %v", row[0], reason.Sendable(), again)
		}
	}
	for name := range constants {
		t.Errorf("the table has no row for %s", name)
	}
}
