package manifest

// Mark is a key and a value of a label or an annotation. Both are UTF-8. The
// zero value is none.
type Mark struct{ Key, Value string }

// Marked returns a copy of the JSON of the entry's object with one more label and
// one more annotation, which are put in without decoding. The object must not
// have them yet.
func Marked(object []byte, entry Entry, label, annotation Mark) []byte {
	result := make([]byte, 0, len(object)+label.size()+annotation.size())
	result = append(result, object[:entry.LabelsAt]...)
	result = label.append(result, object[entry.LabelsAt])
	result = append(result, object[entry.LabelsAt:entry.AnnotationsAt]...)
	result = annotation.append(result, object[entry.AnnotationsAt])
	return append(result, object[entry.AnnotationsAt:]...)
}

// size is about how many bytes the mark takes.
func (m Mark) size() int { return len(m.Key) + len(m.Value) + len(`"":"",`) }

// append appends the mark as the first member of a mapping, whose next byte
// follows: a brace if the mapping is empty.
func (m Mark) append(object []byte, next byte) []byte {
	if m == (Mark{}) {
		return object
	}
	object = appendString(object, m.Key)
	object = append(object, ':')
	object = appendString(object, m.Value)
	if next != '}' {
		object = append(object, ',')
	}
	return object
}
