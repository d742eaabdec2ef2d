package wire

import (
	"encoding/binary"
	"fmt"
)

// Scanner counts the messages in a stream of frames, from either side, without reading their
// payloads. The zero value is ready to use.
type Scanner struct {
	left   uint64 // remaining payload bytes of the current frame
	header [14]byte
	have   int  // bytes in header
	fin    bool // the current frame ends a message
}

// Scan reads the next bytes of the stream and returns how many messages end in them. It skips
// pings and pongs. A close frame, or bytes that are not a frame, are an error.
func (s *Scanner) Scan(p []byte) (messages int, err error) {
	for {
		if s.left > 0 {
			if uint64(len(p)) < s.left {
				s.left -= uint64(len(p))
				return messages, nil
			}
			p = p[s.left:]
			s.left = 0
			if s.fin {
				messages++
			}
		}
		// The common case, a short header that arrived whole, needs no copy.
		if s.have == 0 && len(p) >= 2 && p[1]&0x7f < 126 && p[0]&0x0f <= Binary {
			n := 2 + int(p[1]>>7)*4
			if len(p) >= n {
				s.left, s.fin = uint64(p[1]&0x7f), p[0]&finBit != 0
				p = p[n:]
				if s.left == 0 && s.fin {
					messages++
				}
				continue
			}
		}
		need := 2
		if s.have >= 2 {
			need = s.headerSize()
		}
		for s.have < need {
			if len(p) == 0 {
				return messages, nil
			}
			n := copy(s.header[s.have:need], p)
			s.have += n
			p = p[n:]
			if s.have >= 2 {
				need = s.headerSize()
			}
		}
		if err := s.begin(); err != nil {
			return messages, err
		}
		if s.left == 0 && s.fin {
			messages++
		}
	}
}

func (s *Scanner) headerSize() int {
	n := 2 + int(s.header[1]>>7)*4
	switch s.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	return n
}

// begin starts the frame whose header is complete.
func (s *Scanner) begin() error {
	s.have = 0
	switch n := s.header[1] & 0x7f; n {
	case 126:
		s.left = uint64(binary.BigEndian.Uint16(s.header[2:]))
	case 127:
		s.left = binary.BigEndian.Uint64(s.header[2:])
	default:
		s.left = uint64(n)
	}
	switch opcode := s.header[0] & 0x0f; opcode {
	case 0, Text, Binary:
		s.fin = s.header[0]&finBit != 0
	case 9, 10:
		s.fin = false
	case 8:
		return fmt.Errorf("wire: the peer sent a close frame of %d bytes", s.left)
	default:
		return fmt.Errorf("wire: not a frame: opcode %d", opcode)
	}
	return nil
}
