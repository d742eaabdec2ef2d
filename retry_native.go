//go:build !js

package isosocket

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/isosocket/isosocket/errors"
)

// isUntrusted reports whether err is about the server's certificate.
func isUntrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	// From a DialTLSContext that verifies by itself.
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || host || invalid
}
