package autobahn

import (
	"encoding/json"
	"fmt"
	"os"
)

// Config is a configuration file of the original suite, for its fuzzing client
// (servers to test) or its fuzzing server (where to listen).
type Config struct {
	OutDir       string              `json:"outdir"`
	Servers      []ConfigServer      `json:"servers"`
	URL          string              `json:"url"` // of the fuzzing server
	Cases        []string            `json:"cases"`
	ExcludeCases []string            `json:"exclude-cases"`
	ExcludeAgent map[string][]string `json:"exclude-agent-cases"`
	Cert         string              `json:"cert"`
	Key          string              `json:"key"`
	Protocols    []string            `json:"protocols"`
}

// ConfigServer is a server to test.
type ConfigServer struct {
	Agent     string   `json:"agent"`
	URL       string   `json:"url"`
	Origin    string   `json:"origin"`
	Protocols []string `json:"protocols"`
}

// ReadConfig reads a configuration file.
func ReadConfig(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &Config{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Excludes reports whether the file excludes a case for an agent.
func (c *Config) Excludes(agent string, k *Case) bool {
	for pattern, cases := range c.ExcludeAgent {
		if !matchAgent(pattern, agent) {
			continue
		}
		for _, p := range cases {
			if Match(p, k.ID) {
				return true
			}
		}
	}
	return false
}

func matchAgent(pattern, agent string) bool {
	return pattern == agent || Match(pattern, agent)
}
