package control

// Aside is the answer to what is set aside.
type Aside struct {
	Version int `json:"version"`
	// Objects are those at which attempts failed for long or that come and go, Peers those that are held down.
	Objects []QuarantinedObject `json:"objects"`
	Peers   []Quarantine        `json:"peers"`
}

// AsideOf is what of a status is set aside.
func AsideOf(s Status) Aside {
	return Aside{
		Version: Version, Objects: append([]QuarantinedObject{}, s.Quarantine...),
		Peers: append([]Quarantine{}, s.Quarantined...),
	}
}
