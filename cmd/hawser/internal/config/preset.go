package config

// A preset gives several settings other defaults. Whatever is set explicitly overrides them.
type preset []struct{ key, value string }

const noPreset = "none"

var presets = map[string]preset{
	noPreset: nil,

	// For a server that strangers can reach. cmd/hawser/deploy has the same limits for nginx
	// and HAProxy.
	"strict": {
		{"limits.connections_per_address", "10"},
		{"limits.address_requests_per_second", "5"},
		{"limits.address_requests_burst", "20"},
	},
}

func presetNames() map[string]string {
	names := make(map[string]string)
	for name := range presets {
		names[name] = name
	}
	return names
}

// apply sets the preset's defaults.
func (p preset) apply(c *Config) {
	for _, d := range p {
		s, ok := find(fullKey, d.key)
		if !ok || s.parse(c, d.value) != nil {
			panic("config: internal error: a preset sets " + d.key + " to " + d.value)
		}
	}
}

// of returns the preset's default of a setting; "" if it does not change that.
func (p preset) of(key string) string {
	for _, d := range p {
		if d.key == key {
			return d.value
		}
	}
	return ""
}

// defaults describes a setting's default, with those of presets.
func (s setting) defaults() string {
	words := "default " + s.value
	for name, p := range presets {
		if v := p.of(s.key); v != "" {
			words += ", with the preset " + name + " " + v
		}
	}
	return words
}
