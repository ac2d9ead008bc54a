package config

import (
	"slices"
	"strings"
)

// Limit is a setting that limits what clients may do or use.
type Limit struct {
	Setting string // its key
	Value   string // as TOML
}

// limitsElsewhere are the limits that are not in the table [limits].
var limitsElsewhere = []string{"auth_timeout", "max_message", "write_queue", "memory_budget"}

// AllLimits returns all limits, in the order of the settings.
func (c *Config) AllLimits() (limits []Limit) {
	for _, s := range settings {
		if strings.HasPrefix(s.key, "limits.") || slices.Contains(limitsElsewhere, s.key) {
			limits = append(limits, Limit{Setting: s.key, Value: s.text(c)})
		}
	}
	return limits
}
