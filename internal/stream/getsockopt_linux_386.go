package stream

// sysGetsockopt is a system call of its own since Linux 4.3, which package syscall does not
// list. An older kernel returns ENOSYS, and nothing is known of the socket.
const sysGetsockopt = 365
