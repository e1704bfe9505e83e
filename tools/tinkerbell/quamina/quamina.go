// Package quamina stands in for quamina.net/go/quamina, which the Go module proxy does not serve in the version that Tinkerbell
// wants. It matches nothing: Tinkerbell's rules of which objects a template may refer to, and which rule set enrolls an
// unknown machine, have no effect then. That switches a security filter off, so it is for tests only, which have neither.
package quamina

// Quamina holds no patterns.
type Quamina struct{}

// New never fails.
func New() (*Quamina, error) { return &Quamina{}, nil }

// AddPattern accepts any pattern and forgets it.
func (*Quamina) AddPattern(_ any, _ string) error { return nil }

// MatchesForEvent finds no pattern that matches.
func (*Quamina) MatchesForEvent(_ []byte) ([]any, error) { return nil, nil }
