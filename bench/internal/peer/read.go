package peer

import "io"

// readInto reads r to its end, appending to buf[:0].
func readInto(r io.Reader, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// copyPieces writes size bytes in pieces.
func copyPieces(w io.WriteCloser, size int64, piece []byte) error {
	for ; size > 0; size -= int64(len(piece)) {
		if _, err := w.Write(piece[:min(size, int64(len(piece)))]); err != nil {
			return err
		}
	}
	return w.Close()
}

// drain reads r to its end through buf, and returns its size.
func drain(r io.Reader, buf []byte) (size int64, err error) {
	for {
		n, err := r.Read(buf)
		size += int64(n)
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}
