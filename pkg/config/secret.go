package config

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// Secrets are the values of all keys that are secret, for filtering text that others made.
func (s Settings) Secrets() []string { return unique(key.Secrets(table(&s))) }

// SecretKeys are the names of all keys that are secret; LIST[].KEY is one of an element.
func SecretKeys() []string {
	s := defaults(drivers.All())
	return key.SecretNames(table(&s))
}
