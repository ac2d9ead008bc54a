package browser

import (
	"errors"
	"sync"
)

// Set starts each browser once, when it is asked for, for all tests of a program. The
// zero value is empty and ready. Its methods may be called from any goroutine.
type Set struct {
	mu      sync.Mutex
	started map[Engine]*launch // Guarded by mu.
}

type launch struct {
	once    sync.Once
	browser *Browser
	err     error
}

// Get returns the browser of an engine, or the error that its start ended with.
func (s *Set) Get(engine Engine) (*Browser, error) {
	s.mu.Lock()
	if s.started == nil {
		s.started = map[Engine]*launch{}
	}
	one := s.started[engine]
	if one == nil {
		one = &launch{}
		s.started[engine] = one
	}
	s.mu.Unlock()
	one.once.Do(func() { one.browser, one.err = Start(engine) })
	return one.browser, one.err
}

// Close closes the browsers.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, one := range s.started {
		if one.browser != nil {
			errs = append(errs, one.browser.Close())
		}
	}
	s.started = nil
	return errors.Join(errs...)
}
