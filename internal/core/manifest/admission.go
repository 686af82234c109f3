package manifest

// bigText is the size in bytes from which on a document takes all memory for itself.
const bigText = 1 << 20

// Admit returns when there is room for a document that takes so many bytes of memory, at
// most Limits.Memory, and what gives the room back. The room is held until the objects of
// the document were consumed: nothing in it may wait for another document.
type Admit func(bytes int64) (release func(), err error)

// admission is the room for the document that is being read.
type admission struct {
	admit  Admit
	limits Limits
	// release gives the room back. It is nil while there is none.
	release func()
}

// read makes room for the text of a document of which so many bytes were read. The nodes
// of a big one are not known yet, so it gets what any may take.
func (a *admission) read(bytes int) error {
	if bytes <= bigText {
		return nil
	}
	return a.take(a.limits.Memory())
}

// decode makes room for the nodes of a document.
func (a *admission) decode(bytes, nodes int, aliased bool) error {
	if aliased { // what it expands to is only known when it is there
		return a.take(a.limits.Memory())
	}
	return a.take(memory(int64(bytes), nodes))
}

func (a *admission) take(bytes int64) error {
	if a.admit == nil || a.release != nil {
		return nil
	}
	release, err := a.admit(min(bytes, a.limits.Memory()))
	if err != nil {
		return err
	}
	a.release = release
	return nil
}

// end gives the room back.
func (a *admission) end() {
	if a.release != nil {
		a.release()
	}
	a.release = nil
}
