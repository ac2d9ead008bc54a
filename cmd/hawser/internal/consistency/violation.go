package consistency

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Rule is one of the rules in the package documentation.
type Rule string

const (
	Order       Rule = "order"
	Doubled     Rule = "doubled"
	Ghost       Rule = "ghost"
	Delivery    Rule = "delivery"
	Early       Rule = "early"
	Undelivered Rule = "undelivered"
	Missed      Rule = "missed"
	Lost        Rule = "lost"
	Page        Rule = "page"
	EpochRule   Rule = "epoch"
	ReloadRule  Rule = "reload"
	Presence    Rule = "presence"
	Unanswered  Rule = "unanswered"
)

var allRules = []Rule{Order, Doubled, Ghost, Delivery, Early, Undelivered, Missed, Lost, Page, EpochRule, ReloadRule, Presence, Unanswered}

// maxViolations is how many violations of one rule are listed. A rule that is violated
// once is often violated a thousand times.
const maxViolations = 20

// Violation is one promise that was not kept.
type Violation struct {
	Rule     Rule
	What     string
	Evidence []Event // the events that contradict each other, in order
}

// String returns the violation and its evidence, one event a line.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", v.Rule, v.What)
	for _, e := range v.Evidence {
		e.Messages = nil // may be very long
		line, _ := json.Marshal(e)
		fmt.Fprintf(&b, "\n    %s", line)
	}
	return b.String()
}

// report notes a violation. Events that are nil are left out.
func (c *checker) report(r Rule, evidence []*Event, format string, args ...any) {
	c.count[r]++
	if c.count[r] > maxViolations {
		return
	}
	v := Violation{Rule: r, What: fmt.Sprintf(format, args...)}
	for _, e := range evidence {
		if e != nil {
			v.Evidence = append(v.Evidence, *e)
		}
	}
	c.found = append(c.found, v)
}

func (c *checker) reportRest() {
	for _, r := range allRules {
		if n := c.count[r] - maxViolations; n > 0 {
			c.found = append(c.found, Violation{Rule: r, What: fmt.Sprintf("and %d more of this rule", n)})
		}
	}
}
