package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Bar is one value of Bars, with an interval in which it may lie: Low and High
// are the value itself if there is none.
type Bar struct {
	Name             string
	Value, Low, High float64
}

// Bars compares values, one bar below the other.
type Bars struct {
	Title  string
	Note   string // a line below the title
	Bars   []Bar
	Format func(float64) string
	// Mark is the index of the bar that is drawn in another colour, or -1.
	Mark int
}

const (
	barHeight = 26
	barLeft   = 190
	barRight  = 110
	barTop    = 58
)

// SVG draws the bars.
func (c *Bars) SVG() string {
	h := barTop + barHeight*len(c.Bars) + 14
	most := 0.0
	for _, v := range c.Bars {
		if !math.IsNaN(v.Value) {
			most = max(most, v.Value, v.High)
		}
	}
	if most <= 0 {
		most = 1
	}
	px := func(v float64) float64 { return v / most * (width - barLeft - barRight) }
	var b strings.Builder
	b.WriteString(open(width, h, c.Title))
	fmt.Fprintf(&b, `<text x="14" y="43">%s</text>`+"\n", html.EscapeString(c.Note))
	for i, v := range c.Bars {
		y := barTop + i*barHeight
		colour := colours[5]
		if i == c.Mark {
			colour = colours[0]
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, barLeft-8, y+16, html.EscapeString(v.Name))
		if math.IsNaN(v.Value) {
			fmt.Fprintf(&b, `<text x="%d" y="%d">–</text>`+"\n", barLeft, y+16)
			continue
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, barLeft, y+3, px(v.Value), barHeight-8, colour)
		end := px(v.Value)
		if v.High > v.Low {
			m := y + 3 + (barHeight-8)/2
			fmt.Fprintf(&b, `<path class="frame" d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8"/>`, barLeft+px(v.Low), m, barLeft+px(v.High), barLeft+px(v.Low), m-4, barLeft+px(v.High), m-4)
			end = max(end, px(v.High))
		}
		fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%d">%s</text>`+"\n", barLeft+end+8, y+16, html.EscapeString(c.Format(v.Value)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
