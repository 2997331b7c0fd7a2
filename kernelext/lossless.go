// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// maxDepth bounds the nesting of kept values. A slice that contains itself has no other bound.
const maxDepth = 10_000

var errTooDeep = fmt.Errorf("it is nested more than %d levels deep", maxDepth)

var (
	gobEncoder      = reflect.TypeFor[gob.GobEncoder]()
	binaryMarshaler = reflect.TypeFor[encoding.BinaryMarshaler]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
)

// checkTree returns an error if two pointers or maps in the value are the same: encoding/gob would
// make two of one, and would not end on a value that refers to itself.
func checkTree(v reflect.Value) error {
	seen := map[unsafe.Pointer]bool{}
	var walk func(v reflect.Value, path string, depth int) error
	walk = func(v reflect.Value, path string, depth int) error {
		if depth > maxDepth {
			return errTooDeep
		}
		if !v.IsValid() || implements(v.Type(), gobEncoder, binaryMarshaler) {
			return nil
		}
		if kind := v.Kind(); (kind == reflect.Pointer || kind == reflect.Map) && !v.IsNil() {
			if seen[v.UnsafePointer()] {
				return fmt.Errorf("%s is referred to more than once, and would come back as several values", path)
			}
			seen[v.UnsafePointer()] = true
		}
		return eachPart(v, path, func(part reflect.Value, path string, field *reflect.StructField) error {
			if field != nil && !field.IsExported() {
				return nil
			}
			return walk(part, path, depth+1)
		})
	}
	return walk(v, "value", 0)
}

// checkInputs returns an error if the JSON form of inputs leaves out a part of them, so that
// different inputs would be taken for the same.
func checkInputs(v reflect.Value, path string) error {
	if !v.IsValid() || v.Type().Implements(jsonMarshaler) || v.Type().Implements(textMarshaler) ||
		v.CanAddr() && implements(v.Type(), jsonMarshaler, textMarshaler) {
		return nil
	}
	if v.Kind() == reflect.String && !utf8.ValidString(v.String()) {
		return fmt.Errorf("%s is not UTF-8 text, and JSON would replace its bytes", path)
	}
	if v.Kind() == reflect.Map {
		for _, key := range v.MapKeys() {
			if err := checkInputs(key, path+"'s key"); err != nil {
				return err
			}
		}
	}
	return eachPart(v, path, func(part reflect.Value, path string, field *reflect.StructField) error {
		if field == nil || field.IsExported() || embedsStruct(field) {
			if field != nil && field.Tag.Get("json") == "-" {
				return nil
			}
			return checkInputs(part, path)
		}
		return fmt.Errorf("%s is not exported, and JSON would leave it out", path)
	})
}

// embedsStruct reports whether JSON treats the fields of a field's type as those of the struct
// around it.
func embedsStruct(field *reflect.StructField) bool {
	t := field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return field.Anonymous && t.Kind() == reflect.Struct
}

// implements reports whether a type or a pointer to it implements one of the interfaces.
func implements(t reflect.Type, interfaces ...reflect.Type) bool {
	for _, i := range interfaces {
		if t.Implements(i) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// eachPart calls visit with each value directly inside v, until it returns an error. The field is
// nil unless v is a struct. Numbers in slices and arrays are omitted.
func eachPart(v reflect.Value, path string, visit func(reflect.Value, string, *reflect.StructField) error) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return visit(v.Elem(), path, nil)
	case reflect.Slice, reflect.Array:
		if isNumber(v.Type().Elem()) {
			return nil
		}
		for i := range v.Len() {
			if err := visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i), nil); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if err := visit(entries.Value(), fmt.Sprintf("%s[%v]", path, entries.Key()), nil); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Name == "_" {
				continue
			}
			if err := visit(v.Field(i), path+"."+field.Name, &field); err != nil {
				return err
			}
		}
	}
	return nil
}

func isNumber(t reflect.Type) bool {
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128
}

// comparison compares two values bit by bit, unexported fields included. Unlike reflect.DeepEqual
// it takes a NaN to be equal to itself, and tells 0 from -0.
type comparison struct {
	seen map[visit]bool
}

// visit is a pair of pointers whose targets are compared already, or at the moment.
type visit struct {
	a, b unsafe.Pointer
	t    reflect.Type
}

// checkEqual returns an error that says where two values of one type differ.
func checkEqual(a, b reflect.Value) error {
	path, equal := (&comparison{map[visit]bool{}}).equal(a, b, "value", 0)
	if !equal {
		return fmt.Errorf("%s would come back changed", path)
	}
	return nil
}

// equal returns the path of the first difference.
func (c *comparison) equal(a, b reflect.Value, path string, depth int) (string, bool) {
	if depth > maxDepth || a.IsValid() != b.IsValid() {
		return path, false
	}
	if !a.IsValid() {
		return path, true
	}
	if a.Type() != b.Type() {
		return path, false
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface, reflect.Func, reflect.Chan:
		if a.IsNil() || b.IsNil() {
			return path, a.IsNil() && b.IsNil()
		}
	}
	switch a.Kind() {
	case reflect.Bool:
		return path, a.Bool() == b.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return path, a.Int() == b.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return path, a.Uint() == b.Uint()
	case reflect.Float32, reflect.Float64:
		return path, sameBits(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		return path, sameBits(real(a.Complex()), real(b.Complex())) && sameBits(imag(a.Complex()), imag(b.Complex()))
	case reflect.String:
		return path, a.String() == b.String()
	case reflect.Pointer, reflect.Map:
		pair := visit{a.UnsafePointer(), b.UnsafePointer(), a.Type()}
		if pair.a == pair.b || c.seen[pair] {
			return path, true
		}
		c.seen[pair] = true
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		return c.equal(a.Elem(), b.Elem(), path, depth+1)
	case reflect.Slice, reflect.Array:
		return c.equalElements(a, b, path, depth)
	case reflect.Map:
		return c.equalMaps(a, b, path, depth)
	case reflect.Struct:
		for i := range a.NumField() {
			name := path + "." + a.Type().Field(i).Name
			if where, same := c.equal(a.Field(i), b.Field(i), name, depth+1); !same {
				return where, false
			}
		}
		return path, true
	}
	return path, false // Functions and channels.
}

func (c *comparison) equalElements(a, b reflect.Value, path string, depth int) (string, bool) {
	if a.Len() != b.Len() {
		return path, false
	}
	if a.Kind() == reflect.Slice && isNumber(a.Type().Elem()) && a.Len() > 0 { // Pictures are long.
		size := uintptr(a.Len()) * a.Type().Elem().Size()
		return path, unsafe.String((*byte)(a.UnsafePointer()), size) == unsafe.String((*byte)(b.UnsafePointer()), size)
	}
	for i := range a.Len() {
		if where, same := c.equal(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1); !same {
			return where, false
		}
	}
	return path, true
}

func (c *comparison) equalMaps(a, b reflect.Value, path string, depth int) (string, bool) {
	if a.Len() != b.Len() {
		return path, false
	}
	for entries := a.MapRange(); entries.Next(); {
		name := fmt.Sprintf("%s[%v]", path, entries.Key())
		other := b.MapIndex(entries.Key())
		if !other.IsValid() { // The key is missing, or is a NaN, which no key is equal to.
			return name, false
		}
		if where, same := c.equal(entries.Value(), other, name, depth+1); !same {
			return where, false
		}
	}
	return path, true
}

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// layout describes a type down to the fields of its structs. It changes when one of them does,
// where the name of the type stays the same.
func layout(t reflect.Type) string {
	var b strings.Builder
	seen := map[reflect.Type]bool{}
	var describe func(t reflect.Type)
	describe = func(t reflect.Type) {
		fmt.Fprintf(&b, "%v %v", t, t.Kind())
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Map:
			b.WriteString(" of ")
			describe(t.Key())
			fallthrough
		case reflect.Pointer, reflect.Slice, reflect.Array:
			b.WriteString(" of ")
			describe(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				fmt.Fprintf(&b, "; %s ", t.Field(i).Name)
				describe(t.Field(i).Type)
			}
			b.WriteString(" end")
		}
	}
	describe(t)
	return b.String()
}

// protect turns a panic of code that a value brings along, such as its GobEncode method, into an
// error.
func protect(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("its encoding ends in a panic: %v", cause)
		}
	}()
	return f()
}
