package engine

// NewTo is New for a test in which both ends are on one host: the other one listens on
// the port.
func NewTo(cfg Config, dest uint16) *Engine {
	e := New(cfg)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dest = dest
	return e
}
