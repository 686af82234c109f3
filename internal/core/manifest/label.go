package manifest

// WithLabel returns a copy of an object's JSON with one more label, which is
// put in without decoding. labelsAt is the LabelsAt of the Object or Entry. The
// object must not have a label of that key yet. The key and the value must be
// UTF-8; they are escaped as JSON needs it.
func WithLabel(object []byte, labelsAt int, key, value string) []byte {
	const around = len(`"":"",`)
	result := make([]byte, 0, len(object)+len(key)+len(value)+around)
	result = append(result, object[:labelsAt]...)
	result = appendString(result, key)
	result = append(result, ':')
	result = appendString(result, value)
	if object[labelsAt] != '}' {
		result = append(result, ',')
	}
	return append(result, object[labelsAt:]...)
}
