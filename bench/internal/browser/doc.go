// Package browser measures clients in Chromium, Firefox or WebKitGTK: WebAssembly programs and a
// page of plain JavaScript, against the neutral server of package load. It builds the programs with
// the go command.
package browser
