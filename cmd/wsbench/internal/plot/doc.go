// Package plot draws line and bar charts as SVG that stands by itself: no
// script, no font and no style from elsewhere, and right in light and dark.
//
// It knows nothing about what it draws.
package plot
