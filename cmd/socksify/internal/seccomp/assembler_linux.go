package seccomp

import (
	"errors"

	"golang.org/x/sys/unix"
)

// assembler assembles a classic BPF program. A condition takes a func that emits the instructions for the case
// that the condition is true; otherwise the program jumps over them. Arguments are little-endian: the low half
// comes first.
type assembler struct {
	program []unix.SockFilter
	err     error
}

func (a *assembler) emit(code uint16, k uint32) {
	a.program = append(a.program, unix.SockFilter{Code: code, K: k})
}

// load loads the word at an offset of struct seccomp_data.
func (a *assembler) load(offset int) { a.emit(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, uint32(offset)) }

// arg loads the low half of an argument. The kernel uses only that half for an int.
func (a *assembler) arg(n int) { a.load(offsetArgs + 8*n) }

func (a *assembler) and(mask uint32)    { a.emit(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, mask) }
func (a *assembler) ret(verdict uint32) { a.emit(unix.BPF_RET|unix.BPF_K, verdict) }

// when runs then if the loaded word is k. If then loads another word, that stays loaded afterwards.
func (a *assembler) when(k uint32, then func()) { a.jump(unix.BPF_JEQ, k, true, then) }

// unless runs then if the loaded word is not k.
func (a *assembler) unless(k uint32, then func()) { a.jump(unix.BPF_JEQ, k, false, then) }

func (a *assembler) atLeast(k uint32, then func()) { a.jump(unix.BPF_JGE, k, true, then) }
func (a *assembler) below(k uint32, then func())   { a.jump(unix.BPF_JGE, k, false, then) }
func (a *assembler) ifBits(k uint32, then func())  { a.jump(unix.BPF_JSET, k, true, then) }

func (a *assembler) jump(condition uint16, k uint32, want bool, then func()) {
	at := len(a.program)
	a.emit(unix.BPF_JMP|condition|unix.BPF_K, k)
	then()
	over := len(a.program) - at - 1
	if over > 255 {
		a.err = errors.New("filter: jump too far")
		return
	}
	if want {
		a.program[at].Jf = uint8(over)
	} else {
		a.program[at].Jt = uint8(over)
	}
}
