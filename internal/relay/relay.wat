;; The relay passes one connection's messages between a browser's WebSocket and Go.
;; The comment of package relay says why it is WebAssembly and how Go uses it.
;;
;; It has no memory of its own. Messages are in a JavaScript Uint8Array, the scratch:
;; the first $room bytes hold messages that arrived, the bytes after them messages
;; that Go sends. References (externref) are JavaScript values that the relay holds
;; and passes on.
;;
;; go generate assembles this file; see relay.go.
(module
  ;; Functions of JavaScript.
  (import "js" "get"        (func $get        (param $object externref) (param $name externref) (result externref)))
  (import "js" "number"     (func $number     (param $object externref) (param $name externref) (result f64))) ;; NaN if there is none
  (import "js" "object"     (func $object     (param $value externref) (result externref)))
  (import "js" "list"       (func $list       (param $element externref) (result externref)))
  (import "js" "construct"  (func $construct  (param $class externref) (param $arguments externref) (result externref)))
  (import "js" "encodeInto" (func $encodeInto (param $text externref) (param $bytes externref) (result externref)))
  (import "js" "encode"     (func $encode     (param $text externref) (result externref)))
  (import "js" "decode"     (func $decode     (param $bytes externref) (result externref)))
  (import "js" "transmit"   (func $transmit   (param $payload externref))) ;; WebSocket.send
  ;; Scratch, and the 32-bit numbers in it.
  (import "js" "put"        (func $put        (param $bytes externref) (param $offset i32)))
  (import "js" "view"       (func $view       (param $begin i32) (param $end i32) (result externref)))
  (import "js" "copy"       (func $copy       (param $begin i32) (param $end i32) (result externref)))
  (import "js" "header"     (func $header     (param $offset i32) (result i32)))
  (import "js" "putHeader"  (func $putHeader  (param $offset i32) (param $header i32)))
  ;; Two queues: messages too large for scratch, and copies of a full scratch.
  (import "js" "pushApart"  (func $pushApart  (param $message externref)))
  (import "js" "shiftApart" (func $shiftApart (result externref)))
  (import "js" "pushFull"   (func $pushFull   (param $bytes externref)))
  (import "js" "detach"     (func $detach     (param $function externref) (param $buffer externref) (param $arguments externref)))
  ;; Calls into Go, and a task of the event loop that calls $late.
  (import "js" "wake"       (func $wake       (param $what i32) (result i32)))
  (import "js" "warn"       (func $warn       (param $go externref) (param $came f64) (param $arguments externref) (result f64)))
  (import "js" "post"       (func $post       (param $function externref) (param $this i32) (param $arguments externref)))

  ;; Names of properties.
  (import "js" "data"           (global $data externref))
  (import "js" "byteLength"     (global $byteLength externref))
  (import "js" "buffer"         (global $buffer externref))
  (import "js" "length"         (global $length externref))
  (import "js" "written"        (global $written externref))
  (import "js" "readyState"     (global $readyState externref))
  (import "js" "bufferedAmount" (global $bufferedAmount externref))
  ;; Values.
  (import "js" "Uint8Array" (global $Uint8Array externref))
  (import "js" "socket"     (global $socket externref))
  (import "js" "go"         (global $go externref))      ;; the Go function that $wake and $warn call
  (import "js" "warning"    (global $warning externref)) ;; a list with one element: $warn's arguments
  (import "js" "nothing"    (global $nothing externref)) ;; an empty list: $post's arguments
  (import "js" "transfer"   (global $transfer externref)) ;; $detach's function
  (import "js" "none"       (global $none externref))     ;; a list of the number 0: $detach's arguments
  ;; Limits.
  (import "js" "room"       (global $room i32))          ;; bytes of scratch for messages that arrived
  (import "js" "largest"    (global $largest i32))       ;; bytes that a message may need there
  (import "js" "countable"  (global $countable f64))     ;; bytes that are counted of one message at most
  (import "js" "allowed"    (global $allowed f64))       ;; bytes that may arrive before Go is warned

  (global $used (mut i32) (i32.const 0)) ;; bytes of scratch that hold messages
  (global $full (mut i32) (i32.const 0)) ;; copies in the queue of full ones
  ;; When Go is woken: 0 never, 1 for each message, 2 by a task that is queued after
  ;; those that wait when a message arrives, 3 like 2 when that task is already posted.
  (global $mode (mut i32) (i32.const 0))
  (global $turn (mut i32) (i32.const 0)) ;; changes whenever Go is woken or takes something
  (global $total (mut f64) (f64.const 0)) ;; bytes that ever arrived, headers included
  (global $ceiling (mut f64) (global.get $allowed)) ;; Go is warned when $total exceeds it
  (global $postMessage (mut externref) (ref.null extern)) ;; $post's function, set before mode 2 is chosen
  (export "postMessage" (global $postMessage))
  ;; The view of the message that $send sent last, and its size.
  (global $lastView (mut externref) (ref.null extern))
  (global $lastSize (mut i32) (i32.const -1))

  ;; arrived listens to the WebSocket's message event. A small message goes into
  ;; scratch after its header. A large one is kept apart; only its header goes there.
  (func (export "arrived") (param $event externref)
    (local $message externref) ;; a string or an ArrayBuffer
    (local $isText i32)
    (local $exact f64)         ;; its size, in bytes or UTF-16 code units
    (local $size i32)          ;; the same, then that of the text as UTF-8
    (local $need i32)          ;; the most bytes of scratch that it takes
    (local $isApart i32)
    (local $isAlone i32)       ;; nothing else waits, and Go is woken with this message
    (local $before f64)        ;; $total before it
    (local.set $message (call $get (local.get $event) (global.get $data)))

    ;; A string has no byteLength, and NaN differs from itself.
    (local.set $exact (call $number (call $object (local.get $message)) (global.get $byteLength)))
    (local.set $isText (f64.ne (local.get $exact) (local.get $exact)))
    (if (local.get $isText) (then
      (local.set $exact (call $number (call $object (local.get $message)) (global.get $length)))))
    (local.set $size (i32.trunc_sat_f64_u (f64.min (local.get $exact) (global.get $countable))))

    ;; A code unit of a string becomes up to three bytes.
    (local.set $need (i32.add
      (i32.mul (local.get $size) (select (i32.const 3) (i32.const 1) (local.get $isText)))
      (i32.const 4)))
    (local.set $isApart (i32.gt_u (local.get $need) (global.get $largest)))
    (if (local.get $isApart) (then
      (local.set $need (i32.const 4))))
    (if (i32.gt_u (i32.add (global.get $used) (local.get $need)) (global.get $room)) (then
      (call $seal)))
    (local.set $isAlone
      (i32.and (i32.eq (global.get $mode) (i32.const 1))
      (i32.and (i32.eqz (global.get $used))
      (i32.and (i32.eqz (global.get $full))
               (i32.eqz (local.get $isApart))))))

    (if (local.get $isApart)
      (then (call $pushApart (if (result externref) (local.get $isText)
        (then (local.get $message))
        (else (call $bytesOf (local.get $message))))))
      (else (if (local.get $isText)
        (then (local.set $size (i32.trunc_sat_f64_u (call $number
          (call $encodeInto
            (local.get $message)
            (call $view (call $dataOffset (local.get $isAlone)) (global.get $room)))
          (global.get $written)))))
        (else (call $put
          (call $bytesOf (local.get $message))
          (call $dataOffset (local.get $isAlone)))))))
    (if (i32.eqz (local.get $isAlone)) (then
      (call $putHeader
        (global.get $used)
        (call $headerOf (local.get $size) (local.get $isApart) (local.get $isText)))
      (global.set $used (i32.add
        (i32.add (global.get $used) (i32.const 4))
        (select (i32.const 0) (local.get $size) (local.get $isApart))))))
    (local.set $before (global.get $total))
    (global.set $total (f64.add
      (local.get $before)
      (f64.convert_i32_u (i32.add (local.get $size) (i32.const 4)))))

    (if (local.get $isAlone)
      (then (call $wakeWith (call $headerOf (local.get $size) (local.get $isApart) (local.get $isText))))
      (else
        (if (i32.eq (global.get $mode) (i32.const 1)) (then
          (call $deliver)))
        (if (i32.eq (global.get $mode) (i32.const 2)) (then
          (global.set $mode (i32.const 3))
          (call $post (global.get $postMessage) (i32.const 0) (global.get $nothing))))))
    (if (f64.gt (local.get $before) (global.get $ceiling)) (then
      (global.set $ceiling (call $warn (global.get $go) (local.get $before) (global.get $warning))))))

  (func $bytesOf (param $buffer externref) (result externref)
    (call $construct (global.get $Uint8Array) (call $list (local.get $buffer))))

  ;; Returns the offset for the data of a message that arrives now. A message that is
  ;; alone needs no header in scratch.
  (func $dataOffset (param $isAlone i32) (result i32)
    (i32.add (global.get $used) (select (i32.const 0) (i32.const 4) (local.get $isAlone))))

  (func $headerOf (param $size i32) (param $isApart i32) (param $isText i32) (result i32)
    (i32.or (i32.shl (local.get $size) (i32.const 2))
    (i32.or (i32.shl (local.get $isApart) (i32.const 1))
            (local.get $isText))))

  ;; Moves the messages in scratch to the queue of full ones.
  (func $seal
    (call $pushFull (call $copy (i32.const 0) (global.get $used)))
    (global.set $full (i32.add (global.get $full) (i32.const 1)))
    (global.set $used (i32.const 0)))

  ;; Wakes Go with minus the number of bytes in scratch, or with -1 if there are
  ;; full ones, which come first.
  (func $deliver (local $n i32)
    (if (global.get $full)
      (then (call $wakeWith (i32.const -1)))
      (else
        (local.set $n (global.get $used))
        (if (local.get $n) (then
          (global.set $used (i32.const 0))
          (call $wakeWith (i32.sub (i32.const 0) (local.get $n))))))))

  ;; Wakes Go, which returns the next mode. The mode does not count if Go has
  ;; taken something meanwhile: the mode it chose then is newer.
  (func $wakeWith (param $what i32) (local $turn i32) (local $next i32)
    (local.set $turn (i32.add (global.get $turn) (i32.const 1)))
    (global.set $turn (local.get $turn))
    (local.set $next (call $wake (local.get $what)))
    (if (i32.eq (local.get $turn) (global.get $turn)) (then
      (global.set $mode (local.get $next)))))

  ;; late listens to the message event that $post causes.
  (func (export "late") (param $event externref)
    (if (i32.eq (global.get $mode) (i32.const 3)) (then
      (global.set $mode (i32.const 2))
      (call $deliver))))

  ;; take gives Go what waits: the bytes in scratch, or -1 if the oldest full one
  ;; comes first. If nothing waits, $mode holds from now on.
  (func (export "take") (param $mode i32) (result i32) (local $found i32)
    (global.set $turn (i32.add (global.get $turn) (i32.const 1)))
    (if (global.get $full) (then
      (global.set $full (i32.sub (global.get $full) (i32.const 1)))
      (global.set $mode (i32.const 0))
      (return (i32.const -1))))
    (local.set $found (global.get $used))
    (global.set $used (i32.const 0))
    (global.set $mode (select (i32.const 0) (local.get $mode) (local.get $found)))
    (local.get $found))

  ;; apart returns the oldest message that is kept apart, as bytes.
  (func (export "apart") (param $isText i32) (result externref)
    (if (result externref) (local.get $isText)
      (then (call $encode (call $shiftApart)))
      (else (call $shiftApart))))

  ;; free frees the memory of a Uint8Array that Go has read. Go's reference keeps the
  ;; object until Go collects its garbage, and Go does not see how large the object is.
  (func (export "free") (param $bytes externref)
    (call $detach
      (global.get $transfer)
      (call $get (local.get $bytes) (global.get $buffer))
      (global.get $none)))

  (func (export "total") (result f64) (global.get $total))

  ;; state returns bufferedAmount, or -1-bufferedAmount if the WebSocket is not open,
  ;; as the functions below do.
  (func (export "state") (result f64) (call $amount (call $isOpen)))

  ;; send sends the message at $room. $header is its size times two, plus one for
  ;; text. A WebSocket that is not open would drop the message without an error, so
  ;; send does not pass it on. The view is kept for further messages of the same size.
  (func (export "send") (param $header i32) (result f64) (local $open i32) (local $size i32)
    (local.set $open (call $isOpen))
    (if (local.get $open) (then
      (local.set $size (i32.shr_u (local.get $header) (i32.const 1)))
      (if (i32.ne (local.get $size) (global.get $lastSize)) (then
        (global.set $lastSize (local.get $size))
        (global.set $lastView (call $view
          (global.get $room)
          (i32.add (global.get $room) (local.get $size))))))
      (call $sendOne (global.get $lastView) (i32.and (local.get $header) (i32.const 1)))))
    (call $amount (local.get $open)))

  ;; sendMany sends the $n bytes of messages at $room, each after its header.
  (func (export "sendMany") (param $n i32) (result f64)
    (local $open i32) (local $at i32) (local $end i32) (local $header i32) (local $data i32)
    (local.set $open (call $isOpen))
    (if (local.get $open) (then
      (local.set $at (global.get $room))
      (local.set $end (i32.add (local.get $at) (local.get $n)))
      (loop $next
        (local.set $header (call $header (local.get $at)))
        (local.set $data (i32.add (local.get $at) (i32.const 4)))
        (local.set $at (i32.add (local.get $data) (i32.shr_u (local.get $header) (i32.const 1))))
        (call $sendOne
          (call $view (local.get $data) (local.get $at))
          (i32.and (local.get $header) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))))
    (call $amount (local.get $open)))

  ;; sendView sends the bytes of a Uint8Array.
  (func (export "sendView") (param $bytes externref) (param $isText i32) (result f64) (local $open i32)
    (local.set $open (call $isOpen))
    (if (local.get $open) (then
      (call $sendOne (local.get $bytes) (local.get $isText))))
    (call $amount (local.get $open)))

  (func $sendOne (param $bytes externref) (param $isText i32)
    (call $transmit (if (result externref) (local.get $isText)
      (then (call $decode (local.get $bytes)))
      (else (local.get $bytes)))))

  (func $isOpen (result i32)
    (f64.eq (call $number (global.get $socket) (global.get $readyState)) (f64.const 1)))

  (func $amount (param $open i32) (result f64) (local $buffered f64)
    (local.set $buffered (call $number (global.get $socket) (global.get $bufferedAmount)))
    (select
      (local.get $buffered)
      (f64.neg (f64.add (local.get $buffered) (f64.const 1)))
      (local.get $open)))
)
