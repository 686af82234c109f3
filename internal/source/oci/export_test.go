package oci

import "time"

// SetNow gives c a clock.
func (c *Client) SetNow(now func() time.Time) { c.now = now }

// Sessions returns how many identities c remembers.
func (c *Client) Sessions() int { return len(c.sessions) }

// LoginFor returns the user of the login for a repository.
func (c Credentials) LoginFor(t interface{ Fatal(...any) }, repository string) string {
	ref, err := Reference{Repository: repository}.parseRepository()
	if err != nil {
		t.Fatal(err)
	}
	return c.loginFor(ref).Username
}
