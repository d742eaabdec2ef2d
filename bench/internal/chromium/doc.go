// Package chromium measures clients in a headless Chromium: WebAssembly programs and a page of
// plain JavaScript, against the neutral server of package load. It builds the programs with the
// go command.
package chromium
