package rollout

import (
	"encoding/json"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

func isJob(object *plan.Object) bool { return object.Group == "batch" && object.Kind == "Job" }

// runsOnce reports whether an object runs to an end.
func runsOnce(object *plan.Object) bool {
	return isJob(object) || object.Hook != nil && object.Group == "" && object.Kind == "Pod"
}

// isRepaired reports whether an object of a complete phase is applied again when
// it is missing. A Job that finished may have been removed by its TTL, a hook by the
// policy of its chart: they are done.
func isRepaired(object *plan.Object) bool { return !isJob(object) && object.Hook == nil }

// noteJob remembers that what runs once is in the cluster, and whether it is complete.
func (m *Memory) noteJob(object *plan.Object, complete bool) {
	if m.jobs == nil {
		m.jobs = make(map[*plan.Object]bool)
	}
	m.jobs[object] = m.jobs[object] || complete
}

// forgetJob forgets what runs once since it was seen to have failed: when somebody or
// its TTL has removed it, it is not done but runs again.
func (m *Memory) forgetJob(object *plan.Object) { delete(m.jobs, object) }

// isJobDone reports whether an object that is not there is a Job that was: it was
// seen complete, or it has a TTL, which only one that finished is removed by, and was not
// seen to have failed. To apply it again would be to run it again.
func (p *pass) isJobDone(object *plan.Object) bool {
	complete, known := p.Memory.jobs[object]
	return complete || known && p.hasTTL(object)
}

func (p *pass) hasTTL(object *plan.Object) bool {
	var job struct {
		Spec struct {
			TTL *int32 `json:"ttlSecondsAfterFinished"`
		} `json:"spec"`
	}
	body, err := p.Release.JSON(*object)
	return err == nil && json.Unmarshal(body, &job) == nil && job.Spec.TTL != nil
}
