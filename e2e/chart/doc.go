// Package chart draws the plots of docs/: bars in groups, and lines. They are SVG on a
// white ground, which is readable in GitHub's light and dark mode.
package chart
