package workload

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// event is an event of a watch without its object.
type event struct {
	// part is the ID of the ApplySet that the object is a member of.
	part string
}

// frame is what is read of an event. Of an error its object is a Status.
type frame struct {
	Type   watch.EventType `json:"type"`
	Object struct {
		Message  string       `json:"message"`
		Metadata liveMetadata `json:"metadata"`
	} `json:"object"`
}

// liveMetadata is the part of an object's metadata that matters to a watch.
type liveMetadata struct {
	Labels map[string]string `json:"labels"`
}

// decodeEvent returns the event of a frame, or the error that the frame reports.
func decodeEvent(text []byte) (event, error) {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return event{}, fmt.Errorf("event of a watch: %w", err)
	}
	switch f.Type {
	case watch.Added, watch.Modified, watch.Deleted:
		return event{part: f.Object.Metadata.Labels[inventory.PartOfLabel]}, nil
	default: // watch.Error, too
		return event{}, fmt.Errorf("event %s of a watch: %s", f.Type, f.Object.Message)
	}
}
