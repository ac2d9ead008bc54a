package plot

import (
	"fmt"
	"html"
	"strings"
)

// Point is one value of a series.
type Point struct{ X, Y float64 }

// Series is a named line.
type Series struct {
	Name   string
	Points []Point
	Step   bool // the value holds until the next point
}

// Chart is a line chart.
type Chart struct {
	Title            string
	Note             string // a line below the title
	Series           []Series
	X, Y             Scale
	XLabel           string
	Marks            []Mark
	XFormat, YFormat func(float64) string
}

// Mark is a moment at which something happened: a line across the chart.
type Mark struct {
	X    float64
	Text string
}

const (
	width, height          = 720, 340
	left, right, top, foot = 76, 36, 58, 62
)

// colours can be told apart by the colour-blind, in light and dark.
var colours = []string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6bb1", "#999933"}

// style is in every picture, so that it stands by itself.
const style = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#444}
.title{font-size:15px;font-weight:600;fill:#111}
.value{font-weight:600;fill:#111}
.grid{stroke:#ccc;stroke-width:.6}
.frame{stroke:#888;fill:none}
.mark{stroke:#c33;stroke-dasharray:5 4}
.marked{font-size:11px;fill:#c33}
@media(prefers-color-scheme:dark){text{fill:#aaa}.title,.value{fill:#eee}.grid{stroke:#444}.frame{stroke:#777}}
</style>`

func open(w, h int, title string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">%s<text class="title" x="14" y="24">%s</text>`,
		w, h, w, h, html.EscapeString(title), style, html.EscapeString(title)) + "\n"
}

// SVG draws the chart. Series without points are left out.
func (c *Chart) SVG() string {
	var xs, ys []float64
	var shown []Series
	for _, s := range c.Series {
		if len(s.Points) > 0 {
			shown = append(shown, s)
		}
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	for _, m := range c.Marks {
		xs = append(xs, m.X)
	}
	x, y := newAxis(c.X, xs, c.XFormat), newAxis(c.Y, ys, c.YFormat)
	px := func(v float64) float64 { return left + x.at(v)*(width-left-right) }
	py := func(v float64) float64 { return height - foot - y.at(v)*(height-top-foot) }
	var b strings.Builder
	b.WriteString(open(width, height+c.keyLines(shown), c.Title))
	if c.Note != "" {
		fmt.Fprintf(&b, `<text x="14" y="43">%s</text>`+"\n", html.EscapeString(c.Note))
	}
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, width-right, py(v), py(v), left-8, py(v)+4, html.EscapeString(y.format(v)))
	}
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			px(v), px(v), top, height-foot, px(v), height-foot+18, html.EscapeString(x.format(v)))
	}
	fmt.Fprintf(&b, `<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>`+"\n", left, top, width-left-right, height-top-foot)
	if c.XLabel != "" {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", width-right, height-foot+36, html.EscapeString(c.XLabel))
	}
	for i, m := range c.Marks {
		// Their texts stand at the right of the lines, on three heights.
		fmt.Fprintf(&b, `<line class="mark" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text class="marked" x="%.1f" y="%d">%s</text>`+"\n",
			px(m.X), px(m.X), top, height-foot, px(m.X)+4, top+14+14*(i%3), html.EscapeString(m.Text))
	}
	at, line := left, height-18
	for i, s := range shown {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round" d="%s"><title>%s</title></path>`+"\n",
			colour, path(s, px, py), html.EscapeString(s.Name))
		if len(s.Points) == 1 {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", px(s.Points[0].X), py(s.Points[0].Y), colour)
		}
		// The key stands below.
		wide := 32 + 7*len([]rune(s.Name))
		if at+wide > width && at > left {
			at, line = left, line+18
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="14" height="4" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", at, line, colour, at+19, line+6, html.EscapeString(s.Name))
		at += wide
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// keyLines is how much higher the picture is for a key of several lines.
func (c *Chart) keyLines(shown []Series) (more int) {
	at := left
	for _, s := range shown {
		wide := 32 + 7*len([]rune(s.Name))
		if at+wide > width && at > left {
			at, more = left, more+18
		}
		at += wide
	}
	return more
}

func path(s Series, px, py func(float64) float64) string {
	var b strings.Builder
	for i, p := range s.Points {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "M%.1f %.1f", px(p.X), py(p.Y))
		case s.Step:
			fmt.Fprintf(&b, "H%.1fV%.1f", px(p.X), py(p.Y))
		default:
			fmt.Fprintf(&b, "L%.1f %.1f", px(p.X), py(p.Y))
		}
	}
	return b.String()
}
