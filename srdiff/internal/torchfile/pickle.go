// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// What a pickle may be made of, beside numbers, strings, None (nil) and booleans.
type (
	list   struct{ items []any }
	tuple  []any
	dict   struct{ keys, values []any } // also an OrderedDict
	global string                       // a class or function by its name, "collections.OrderedDict"
	mark   struct{}                     // on the stack alone
)

// pickle reads a pickle without running anything: classes and functions are names, which the methods
// call and persistent know or refuse.
type pickle struct {
	data       []byte
	stack      []any
	memo       map[uint32]any
	persistent func(id any) (any, error)
	call       func(function global, args tuple) (any, error)
}

var errPickle = errors.New("damaged PyTorch file: its list of tensors (data.pkl) cannot be read")

// errOpcode is for what a pickle of tensors has no use for.
func errOpcode(op byte) error {
	return fmt.Errorf("its list of tensors (data.pkl) has the pickle opcode %#02x, which no state_dict needs: %s", op, saveAgain)
}

// read returns the object in the pickle.
func (p *pickle) read() (object any, err error) {
	defer func() { // take, pop and top panic with this where data or the stack ends early
		if problem := recover(); problem == errPickle {
			object, err = nil, errPickle
		} else if problem != nil {
			panic(problem)
		}
	}()
	p.memo = map[uint32]any{}
	for {
		op := p.take(1)[0]
		if op == '.' { // STOP
			return p.pop(), nil
		}
		if err := p.step(op); err != nil {
			return nil, err
		}
	}
}

// step runs one opcode, named as in Python's pickletools.
func (p *pickle) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		p.take(1)
	case 0x95: // FRAME
		p.take(8)
	case '(': // MARK
		p.push(mark{})
	case 'N': // NONE
		p.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		p.push(op == 0x88)
	case 'J': // BININT
		p.push(int64(int32(binary.LittleEndian.Uint32(p.take(4)))))
	case 'K': // BININT1
		p.push(int64(p.take(1)[0]))
	case 'M': // BININT2
		p.push(int64(binary.LittleEndian.Uint16(p.take(2))))
	case 0x8a: // LONG1
		return p.long()
	case 'G': // BINFLOAT
		p.push(math.Float64frombits(binary.BigEndian.Uint64(p.take(8))))
	case 'X', 'T': // BINUNICODE, BINSTRING
		p.push(string(p.take(uint64(p.uint32()))))
	case 0x8c, 'U': // SHORT_BINUNICODE, SHORT_BINSTRING
		p.push(string(p.take(uint64(p.take(1)[0]))))
	case 'q', 'r', 0x94, 'h', 'j': // memo
		p.remember(op)
	case '}': // EMPTY_DICT
		p.push(&dict{})
	case ']': // EMPTY_LIST
		p.push(&list{})
	case ')', 0x85, 0x86, 0x87, 't': // tuples
		p.push(p.tuple(op))
	case 'a', 'e', 's', 'u': // APPEND, APPENDS, SETITEM, SETITEMS
		p.fill(op)
	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		p.push(p.global(op))
	case 'Q': // BINPERSID
		object, err := p.persistent(p.pop())
		p.push(object)
		return err
	case 'R', 0x81: // REDUCE, NEWOBJ
		args, isTuple := p.pop().(tuple)
		function, isGlobal := p.pop().(global)
		if !isTuple || !isGlobal {
			return errPickle
		}
		object, err := p.call(function, args)
		p.push(object)
		return err
	case 'b': // BUILD: the attributes of a state_dict, such as its modules' versions
		p.pop()
		if _, ok := p.top().(*dict); !ok {
			return fmt.Errorf("it holds an object with attributes: %s", saveAgain)
		}
	default:
		return errOpcode(op)
	}
	return nil
}

func (p *pickle) push(object any) { p.stack = append(p.stack, object) }

func (p *pickle) top() any {
	if len(p.stack) == 0 {
		panic(errPickle)
	}
	return p.stack[len(p.stack)-1]
}

func (p *pickle) pop() any {
	top := p.top()
	p.stack = p.stack[:len(p.stack)-1]
	return top
}

// popMark returns what lies above the last mark.
func (p *pickle) popMark() []any {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(mark); ok {
			above := p.stack[i+1:]
			p.stack = p.stack[:i]
			return append([]any(nil), above...)
		}
	}
	panic(errPickle)
}

func (p *pickle) take(n uint64) []byte {
	if n > uint64(len(p.data)) {
		panic(errPickle)
	}
	taken := p.data[:n]
	p.data = p.data[n:]
	return taken
}

func (p *pickle) uint32() uint32 { return binary.LittleEndian.Uint32(p.take(4)) }

func (p *pickle) line() string {
	n := bytes.IndexByte(p.data, '\n')
	if n < 0 {
		panic(errPickle)
	}
	return string(p.take(uint64(n + 1))[:n])
}

// long is a whole number of up to 8 bytes.
func (p *pickle) long() error {
	n := p.take(1)[0]
	if n > 8 {
		return errors.New("damaged PyTorch file: a whole number in it has more than 64 bits")
	}
	var v int64
	for i, b := range p.take(uint64(n)) {
		v |= int64(b) << (8 * i)
	}
	if n > 0 {
		v = v << (64 - 8*n) >> (64 - 8*n) // its sign
	}
	p.push(v)
	return nil
}

func (p *pickle) remember(op byte) {
	switch op {
	case 'q': // BINPUT
		p.memo[uint32(p.take(1)[0])] = p.top()
	case 'r': // LONG_BINPUT
		p.memo[p.uint32()] = p.top()
	case 0x94: // MEMOIZE
		p.memo[uint32(len(p.memo))] = p.top()
	case 'h': // BINGET
		p.push(p.recall(uint32(p.take(1)[0])))
	case 'j': // LONG_BINGET
		p.push(p.recall(p.uint32()))
	}
}

func (p *pickle) recall(key uint32) any {
	object, ok := p.memo[key]
	if !ok {
		panic(errPickle)
	}
	return object
}

func (p *pickle) tuple(op byte) tuple {
	switch op {
	case ')': // EMPTY_TUPLE
		return tuple{}
	case 't': // TUPLE
		return p.popMark()
	}
	items := make(tuple, op-0x84) // TUPLE1 to TUPLE3
	for i := len(items) - 1; i >= 0; i-- {
		items[i] = p.pop()
	}
	return items
}

// fill adds to the list or the dict below.
func (p *pickle) fill(op byte) {
	var items []any
	switch op {
	case 'a':
		items = []any{p.pop()}
	case 's':
		value := p.pop()
		items = []any{p.pop(), value}
	default:
		items = p.popMark()
	}
	if l, ok := p.top().(*list); ok && (op == 'a' || op == 'e') {
		l.items = append(l.items, items...)
		return
	}
	d, ok := p.top().(*dict)
	if !ok || op == 'a' || op == 'e' || len(items)%2 != 0 {
		panic(errPickle)
	}
	for i := 0; i < len(items); i += 2 {
		d.keys, d.values = append(d.keys, items[i]), append(d.values, items[i+1])
	}
}

func (p *pickle) global(op byte) global {
	if op == 'c' {
		module := p.line()
		return global(module + "." + p.line())
	}
	name, isText := p.pop().(string)
	module, alsoText := p.pop().(string)
	if !isText || !alsoText {
		panic(errPickle)
	}
	return global(module + "." + name)
}
