// Package controllers holds the tests of the controllers below it: the real
// manager against real API servers, told as a user would see it.
package controllers
