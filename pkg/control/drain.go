package control

import (
	"fmt"
	"strconv"
	"time"
)

// Drain is how far a node is taken out of service.
type Drain struct {
	Version int `json:"version"`
	// Phase is lowered while everything is announced as a last resort, waiting while
	// something is left that nobody else announces, and safe-to-stop; empty if the node is in
	// service.
	Phase string `json:"phase"`
	// SafeToStop says that nothing is lost if the node is stopped.
	SafeToStop bool `json:"safe_to_stop"`
	// Since is when it was asked for, and Until when withdrawing begins.
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Force says that what nobody else announces is withdrawn, too.
	Force bool `json:"force"`
	// By is cordon if the node is drained because it is cordoned in Kubernetes, which concerns
	// addresses of services only and ends with the cordon; empty if an operator has asked for
	// it by command.
	By string `json:"by,omitempty"`
	// Lowered counts paths that are announced as a last resort, Withdrawn those that are not
	// announced any more, and OnlyHere those that nobody else is known to announce. Own are
	// addresses of lo, which remain a last resort for as long as the node runs.
	Lowered   int `json:"lowered"`
	Withdrawn int `json:"withdrawn"`
	OnlyHere  int `json:"only_here"`
	Own       int `json:"own"`
	// Left counts the paths that keep the node from being stopped, and Remaining are the
	// first of them.
	Left      int         `json:"left"`
	Remaining []DrainPath `json:"remaining"`
	// NotRemembered says why a restart would end the drain; empty if it would not.
	NotRemembered string `json:"not_remembered,omitempty"`
}

// DrainByCordon is [Drain].By of a node that is cordoned in Kubernetes.
const DrainByCordon = "cordon"

// DrainPath is a path that is still announced.
type DrainPath struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// parseForce reads whether a drain is to withdraw everything; empty text is no.
func parseForce(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	force, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("drain: force=%.20q: use true or false", text)
	}
	return force, nil
}
