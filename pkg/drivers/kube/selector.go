package kube

import (
	"fmt"
	"slices"
	"strings"
)

// Selector is what labels must match, all of it. The zero value matches everything.
type Selector struct{ terms []term }

// term is one requirement on a label.
type term struct {
	key string
	// values are those that the label may have, or with not those that it must not have.
	// Without any the label must be there, or with not must not.
	values []string
	not    bool
}

// Matches reports whether labels meet every requirement.
func (s Selector) Matches(labels map[string]string) bool {
	for _, t := range s.terms {
		value, ok := labels[t.key]
		has := ok && (len(t.values) == 0 || slices.Contains(t.values, value))
		if has == t.not {
			return false
		}
	}
	return true
}

// String is the form that ParseSelector reads.
func (s Selector) String() string {
	var out []string
	for _, t := range s.terms {
		switch {
		case len(t.values) == 0 && t.not:
			out = append(out, "!"+t.key)
		case len(t.values) == 0:
			out = append(out, t.key)
		case len(t.values) == 1 && t.not:
			out = append(out, t.key+"!="+t.values[0])
		case len(t.values) == 1:
			out = append(out, t.key+"="+t.values[0])
		case t.not:
			out = append(out, t.key+" notin ("+strings.Join(t.values, ",")+")")
		default:
			out = append(out, t.key+" in ("+strings.Join(t.values, ",")+")")
		}
	}
	return strings.Join(out, ",")
}

// Require adds a requirement in the words of the API: In, NotIn, Exists or DoesNotExist.
func (s *Selector) Require(key, operator string, values ...string) error {
	t := term{key: strings.TrimSpace(key), values: slices.Clone(values)}
	switch operator {
	case "In":
	case "NotIn":
		t.not = true
	case "Exists", "DoesNotExist":
		t.not = operator == "DoesNotExist"
		if len(values) > 0 {
			return fmt.Errorf("operator %s takes no values", operator)
		}
	default:
		return fmt.Errorf("unknown operator %.32q", operator)
	}
	if (operator == "In" || operator == "NotIn") && len(values) == 0 {
		return fmt.Errorf("operator %s needs values", operator)
	}
	if t.key == "" || strings.ContainsAny(t.key, " ,()=!") {
		return fmt.Errorf("%.64q is not the name of a label", key)
	}
	s.terms = append(s.terms, t)
	return nil
}

// ParseSelector reads a label selector as kubectl takes it: "app=web,tier in (a,b),!old".
func ParseSelector(text string) (Selector, error) {
	var s Selector
	for _, part := range splitOutside(text) {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := s.requireText(part); err != nil {
			return Selector{}, err
		}
	}
	return s, nil
}

// splitOutside splits at commas outside of parentheses.
func splitOutside(text string) []string {
	var out []string
	depth, begin := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, text[begin:i])
				begin = i + 1
			}
		}
	}
	return append(out, text[begin:])
}

func (s *Selector) requireText(part string) error {
	if head, list, ok := strings.Cut(part, "("); ok {
		list, closed := strings.CutSuffix(strings.TrimSpace(list), ")")
		words := strings.Fields(head)
		if !closed || len(words) != 2 {
			return fmt.Errorf("%.64q is not KEY in (VALUE,VALUE)", part)
		}
		var values []string
		for _, v := range strings.Split(list, ",") {
			values = append(values, strings.TrimSpace(v))
		}
		operator := map[string]string{"in": "In", "notin": "NotIn"}[words[1]]
		return s.Require(words[0], operator, values...)
	}
	if key, value, ok := strings.Cut(part, "!="); ok {
		return s.Require(key, "NotIn", strings.TrimSpace(value))
	}
	if key, value, ok := strings.Cut(part, "="); ok {
		return s.Require(key, "In", strings.TrimSpace(strings.TrimPrefix(value, "=")))
	}
	if key, ok := strings.CutPrefix(part, "!"); ok {
		return s.Require(key, "DoesNotExist")
	}
	return s.Require(part, "Exists")
}
