package outcome

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Run is what one run measured. A part that was not measured is nil.
type Run struct {
	// Clusters is how many the run was asked for.
	Clusters int `json:"clusters"`
	// Idles is whether the Clusters only were connected and left alone.
	Idles   bool     `json:"idles,omitempty"`
	Machine Machine  `json:"machine"`
	Load    *Load    `json:"load,omitempty"`
	Install *Rollout `json:"install,omitempty"`
	Idle    *Idle    `json:"idle,omitempty"`
	Restart *Restart `json:"restart,omitempty"`
	Storage *Storage `json:"storage,omitempty"`
	Waves   *Waves   `json:"waves,omitempty"`
	Upgrade *Upgrade `json:"upgrade,omitempty"`
}

// Machine is where a run took place, and with what.
type Machine struct {
	Date       string `json:"date"`
	Processors int    `json:"processors"`
	Memory     int64  `json:"memory"`
	Commit     string `json:"commit"`
	Go         string `json:"go"`
	Kubernetes string `json:"kubernetes"`
	// LoadBefore is the load average of the last minute before the run: other work on the
	// machine makes its times worthless.
	LoadBefore float64 `json:"loadBefore"`
}

// Load is what a bare load generator got out of the simulator: the requests of an install,
// with bodies that were encoded before.
type Load struct {
	// Rates are those of all widths that were tried.
	Rates []Rate `json:"rates"`
	// PerCluster is how many requests are sent for each Cluster.
	PerCluster int `json:"perCluster"`
}

// Rate is how fast a load generator of one width was.
type Rate struct {
	Width    int     `json:"width"`
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
}

// PerSecond returns the requests a second.
func (r Rate) PerSecond() float64 { return perSecond(r.Requests, r.Seconds) }

// Best returns the highest rate.
func (l Load) Best() Rate {
	var best Rate
	for _, r := range l.Rates {
		if r.PerSecond() > best.PerSecond() {
			best = r
		}
	}
	return best
}

// Rollout is what a change of many Clusters took.
type Rollout struct {
	// Clusters is how many were changed.
	Clusters int `json:"clusters"`
	// Seconds are those from the first change until the last Cluster was Ready.
	Seconds float64 `json:"seconds"`
	// ToEstablished and ToReady are from the change of a Cluster until its last CRD was
	// Established, and until it was Ready.
	ToEstablished Spread  `json:"toEstablished,omitzero"`
	ToReady       Spread  `json:"toReady"`
	Traffic       Traffic `json:"traffic"`
	// Processes are by name: the manager, the simulator, etcd and kube-apiserver.
	Processes map[string]Usage `json:"processes"`
	// Management is how many requests the manager sent to the management cluster.
	Management int64 `json:"management,omitempty"`
	// Refused are the requests to one of the Clusters that failed.
	Refused []string `json:"refused,omitempty"`
	// Downloads are how often each file was fetched, by digest.
	Downloads map[string]int `json:"downloads,omitempty"`
}

// PerSecond returns the requests a second that the workload clusters got.
func (r Rollout) PerSecond() float64 { return perSecond(r.Traffic.Requests, r.Seconds) }

// Traffic is what workload clusters were asked for.
type Traffic struct {
	Requests int64 `json:"requests"`
	// Failed are those with a status of 400 or above, by status.
	Failed map[string]int64 `json:"failed,omitempty"`
	// Kinds are the requests by verb and resource.
	Kinds    map[string]int64 `json:"kinds"`
	Sent     int64            `json:"sent"`
	Received int64            `json:"received"`
	// Writes are the requests that change something.
	Writes int64 `json:"writes"`
}

// Usage is what a process took.
type Usage struct {
	// CPUSeconds are those of the step, Peak is the largest resident set since it started.
	CPUSeconds float64 `json:"cpuSeconds"`
	Peak       int64   `json:"peak"`
}

// Idle is what Clusters take to which nothing happens.
type Idle struct {
	Seconds float64 `json:"seconds"`
	Traffic Traffic `json:"traffic"`
	// ManagerCPU is the share of one processor, from 0.
	ManagerCPU float64 `json:"managerCPU"`
	Goroutines int64   `json:"goroutines"`
	// Watches are the open requests of workload clusters.
	Watches int64 `json:"watches"`
	// Resident is the manager's resident set, HeapInUse its heap behind a collection.
	Resident  int64            `json:"resident"`
	HeapInUse int64            `json:"heapInUse"`
	Peak      int64            `json:"peak"`
	Processes map[string]Usage `json:"processes"`
}

// Restart is what a new start of the manager took.
type Restart struct {
	// ToLook is from the start until the first request to each Cluster, ToWatch until the
	// last watch of each was open.
	ToLook  Spread `json:"toLook"`
	ToWatch Spread `json:"toWatch"`
	// Traffic is that until the last watch was open.
	Traffic Traffic `json:"traffic"`
}

// Storage is what etcd of the management cluster holds for each Cluster, in bytes.
type Storage struct {
	// ClusterBundle is its object, OnCluster what was added to the Cluster itself.
	ClusterBundle float64 `json:"clusterBundle"`
	OnCluster     float64 `json:"onCluster"`
	// Events is what they take, which expires in an hour.
	Events float64 `json:"events"`
}

// Total is what stays.
func (s Storage) Total() float64 { return s.ClusterBundle + s.OnCluster }

// Waves are two installs of equally many Clusters: one alone, and one beside Clusters whose
// API servers take connections and never answer.
type Waves struct {
	Alone  Rollout `json:"alone"`
	Beside Rollout `json:"beside"`
	// Silent is how many did not answer.
	Silent int `json:"silent"`
}

// Ratio is the p99 of those beside the silent ones over that of those alone.
func (w Waves) Ratio() float64 { return ratio(w.Beside.ToReady.P99, w.Alone.ToReady.P99) }

// Upgrade is a change of all Clusters to the next minor version.
type Upgrade struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Rollout Rollout `json:"rollout"`
	// Changed is how many objects differ between the two releases or are new, counted in the
	// published files. Applied is how many were applied to each Cluster.
	Changed int     `json:"changed"`
	Applied float64 `json:"applied"`
	// Objects is how many the new release has.
	Objects int `json:"objects"`
}

// Save writes the run whole or not at all to scale-N.json and scale-N.md in the folder.
func (r Run) Save(folder string) error {
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(filepath.Join(folder, r.name()+".json"), append(encoded, '\n')); err != nil {
		return err
	}
	return replace(filepath.Join(folder, r.name()+".md"), []byte(Page([]Run{r})))
}

func (r Run) name() string {
	if r.Idles {
		return fmt.Sprintf("scale-idle-%d", r.Clusters)
	}
	return fmt.Sprintf("scale-%d", r.Clusters)
}

func replace(name string, content []byte) error {
	if err := os.WriteFile(name+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// LoadRuns reads all runs that were saved in the folder, from few Clusters to many.
func LoadRuns(folder string) ([]Run, error) {
	names, err := filepath.Glob(filepath.Join(folder, "scale-*.json"))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, name := range names {
		content, err := os.ReadFile(name) //nolint:gosec // The folder is the caller's.
		if err != nil {
			return nil, err
		}
		var r Run
		if err := json.Unmarshal(content, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		runs = append(runs, r)
	}
	sortRuns(runs)
	return runs, nil
}

func perSecond(n int64, seconds float64) float64 { return ratio(float64(n), seconds) }

// ratio returns 0 where there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
