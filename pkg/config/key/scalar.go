package key

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parsed declares a key of one value that parse reads and print prints back. The
// error of parse should be of [Wrong]: it must not repeat a secret.
func Parsed[T any](target *T, name, kind, help string, parse func(string) (T, error), print func(T) string) Key {
	return Key{
		Name: name, Help: help, Type: kind, target: target,
		text: func() string { return print(*target) },
		node: func() Node { return Node{Kind: Scalar, Text: print(*target)} },
		set: func(r *Reading, n Node, path string) {
			text, ok := r.scalar(n, path)
			if !ok {
				return
			}
			v, err := parse(text)
			if err != nil {
				text, remedy := Describe(err)
				r.At(n.Place, path, text, remedy)
				return
			}
			*target = v
		},
		given: lastText,
	}
}

// Shaped is Parsed for a value that may have several forms: parse reads what was written,
// of which a flag has a single value only. Print makes a single value of it.
func Shaped[T any](target *T, name, kind, help string, parse func(Node) (T, error), print func(T) string) Key {
	k := Parsed(target, name, kind, help, nil, print)
	k.set = func(r *Reading, n Node, path string) {
		if n.Kind == Null {
			return
		}
		v, err := parse(n)
		if err != nil {
			text, remedy := Describe(err)
			r.At(n.Place, path, text, remedy)
			return
		}
		*target = v
	}
	return k
}

// scalar returns the text of a single value; a key without a value keeps its
// default.
func (r *Reading) scalar(n Node, path string) (string, bool) {
	switch n.Kind {
	case Scalar:
		return n.Text, true
	case Null:
		return "", false
	default:
		r.At(n.Place, path, "it holds "+n.Kind.String(), "write a single value")
		return "", false
	}
}

// lastText takes of a repeated flag the last text.
func lastText(_ *Reading, texts []string, at Place, _ string) (Node, bool) {
	if len(texts) == 0 {
		return Node{}, false
	}
	return Node{Place: at, Kind: Scalar, Text: texts[len(texts)-1]}, true
}

// Text declares a key of free text. Check may be nil.
func Text(target *string, name, help string, check func(string) error) Key {
	parse := func(s string) (string, error) {
		if check == nil || s == "" {
			return s, nil
		}
		return s, check(s)
	}
	return Parsed(target, name, "string", help, parse, func(s string) string { return s })
}

// Bool declares a key that is true or false. A flag of it needs no value.
func Bool(target *bool, name, help string) Key {
	return Parsed(target, name, "bool", help, parseBool, strconv.FormatBool)
}

// parseBool reads the words of YAML 1.1, in which operators write files, and those
// of flags.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "on", "y", "t", "1":
		return true, nil
	case "false", "no", "off", "n", "f", "0":
		return false, nil
	default:
		return false, Wrong("use true or false", "%s is neither true nor false", Quote(text))
	}
}

// Integer are the types that a number can land in.
type Integer interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Range says which numbers are valid: from Low to High, both included, and those
// in Also. Use takes the place of the remedy that says so. Unit is that of the
// numbers, in the plural.
type Range[T Integer] struct {
	Low, High T
	Also      []T
	Use, Unit string
}

// Number declares a key of a whole number.
func Number[T Integer](target *T, name, help string, valid Range[T]) Key {
	parse := func(text string) (T, error) { return valid.parse(text) }
	return Parsed(target, name, "int", help, parse, func(v T) string { return fmt.Sprint(v) })
}

// Seconds declares a key of a whole number of seconds.
func Seconds(target *time.Duration, name, help string, valid Range[int64]) Key {
	valid.Unit = "seconds"
	parse := func(text string) (time.Duration, error) {
		n, err := valid.parse(text)
		return time.Duration(n) * time.Second, err
	}
	return Parsed(target, name, "int", help, parse, func(d time.Duration) string {
		return strconv.FormatInt(int64(d/time.Second), 10)
	})
}

// MaxSeconds is the longest time that a key of seconds takes: a hundred years.
const MaxSeconds = 100 * 365 * 24 * 3600

func (v Range[T]) parse(text string) (T, error) {
	n, in, err := parseNumber[T](text)
	what := "number"
	if v.Unit != "" {
		what += " of " + v.Unit
	}
	if err != nil {
		return 0, Wrong(v.remedy(), "%s is not a whole %s", Quote(text), what)
	}
	if in && n >= v.Low && n <= v.High {
		return n, nil
	}
	for _, also := range v.Also {
		if in && n == also {
			return n, nil
		}
	}
	return 0, Wrong(v.remedy(), "%s is out of range", bare(text))
}

func (v Range[T]) remedy() string {
	if v.Use != "" {
		return v.Use
	}
	return strings.TrimSpace(fmt.Sprintf("use %d to %d %s", v.Low, v.High, v.Unit))
}

// parseNumber reads decimal numbers and those with 0x, 0o or 0b, with underscores
// between digits. The number is valid only if it fits its type.
func parseNumber[T Integer](text string) (n T, fits bool, err error) {
	plain := strings.ReplaceAll(strings.TrimSpace(text), "_", "")
	if signed, err := strconv.ParseInt(plain, 0, 64); err == nil {
		n = T(signed)
		return n, int64(n) == signed && (n < 0) == (signed < 0), nil
	}
	unsigned, err := strconv.ParseUint(plain, 0, 64)
	if err != nil {
		return 0, false, err
	}
	n = T(unsigned)
	return n, n > 0 && uint64(n) == unsigned, nil
}

// Share declares a key of a number from 0 to 1.
func Share(target *float64, name, help string) Key {
	parse := func(text string) (float64, error) {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return 0, Wrong("use 0 to 1", "%s is not a number", Quote(text))
		}
		if !(v >= 0 && v <= 1) { // so that what is no number at all fails
			return 0, Wrong("use 0 to 1", "%s is out of range", bare(text))
		}
		return v, nil
	}
	print := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return Parsed(target, name, "float", help, parse, print)
}

// Duration declares a key of a time with its unit, such as 20s.
func Duration(target *time.Duration, name, help string) Key {
	parse := func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil {
			return 0, Wrong("write number and unit, such as 20s or 5m", "%s is not a duration", Quote(text))
		}
		if d < 0 {
			return 0, Wrong("use 0s or more", "%s is negative", bare(text))
		}
		return d, nil
	}
	return Parsed(target, name, "duration", help, parse, time.Duration.String)
}

// Option is one word of a [Choice] and the value that it stands for.
type Option[T any] struct {
	Word  string
	Value T
}

// Choice declares a key that is one of a few words.
func Choice[T comparable](target *T, name, help string, options ...Option[T]) Key {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = o.Word
	}
	parse := func(text string) (T, error) {
		for _, o := range options {
			if o.Word == strings.TrimSpace(text) {
				return o.Value, nil
			}
		}
		var none T
		return none, Wrong("use "+OneOf(words), "unknown value %s", Quote(text))
	}
	print := func(v T) string {
		for _, o := range options {
			if o.Value == v {
				return o.Word
			}
		}
		return ""
	}
	return Parsed(target, name, "string", help, parse, print).Offering(words...)
}

// OneOf lists words for a sentence: a, b or c.
func OneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
