package v1alpha1

// Types of conditions.
const (
	// ReadyCondition is True if the object is in the state that its spec defines.
	ReadyCondition = "Ready"

	// AppliedCondition is True if every object of the bundle was applied.
	AppliedCondition = "Applied"

	// StalledCondition is True if there is no progress until somebody changes the spec,
	// the source or the workload cluster.
	StalledCondition = "Stalled"

	// UpToDateCondition is True if the release that is pinned is the one that the
	// set and the Bundle give the Cluster now. If it is False, what was delivered
	// before stays.
	UpToDateCondition = "UpToDate"

	// PausedCondition is True if the Cluster, the set or the object is paused, or the
	// set is suspended: nothing is done in the workload cluster. Ready stays as it was.
	PausedCondition = "Paused"

	// DeletingCondition is True while the object is being deleted.
	DeletingCondition = "Deleting"
)

// Reasons of conditions that hold.
const (
	// ReadyReason is the reason of a Ready condition that is True.
	ReadyReason = "Ready"

	// AppliedReason is the reason of an Applied condition that is True.
	AppliedReason = "Applied"

	// UpToDateReason is the reason of an UpToDate condition that is True.
	UpToDateReason = "UpToDate"

	// ProgressingReason is the reason of a Ready, Applied, UpToDate or Stalled
	// condition that is False because the work goes on.
	ProgressingReason = "Progressing"

	// PausedReason is a reason of the Paused condition, beside SuspendedReason.
	PausedReason = "Paused"
	// NotPausedReason is the reason of a Paused condition that is False.
	NotPausedReason = "NotPaused"

	// NotDeletingReason is the reason of a Deleting condition that is False.
	NotDeletingReason = "NotDeleting"
)

// Reasons for waiting: something has not happened yet.
const (
	// FetchingReason means that the sources of a release are being fetched.
	FetchingReason = "Fetching"

	// SuspendedReason means that spec.suspend is true.
	SuspendedReason = "Suspended"

	// BundleNotFoundReason means that the Bundle does not exist.
	BundleNotFoundReason = "BundleNotFound"

	// NotUpToDateReason means that Clusters of a set stay at the release that they
	// have, since the one that they should get cannot be chosen or fetched.
	NotUpToDateReason = "NotUpToDate"

	// ReleaseChangedReason means that the Bundle's release is no longer the one
	// that is pinned: the set pins it again.
	ReleaseChangedReason = "ReleaseChanged"

	// ClusterNotFoundReason means that the Cluster does not exist.
	ClusterNotFoundReason = "ClusterNotFound"

	// ControlPlaneNotInitializedReason means that the Cluster's control plane is not up yet.
	ControlPlaneNotInitializedReason = "ControlPlaneNotInitialized"

	// ClusterNotConnectedReason means that the workload cluster's API server cannot be reached.
	ClusterNotConnectedReason = "ClusterNotConnected"

	// DependencyNotReadyReason means that a set that another one depends on is not
	// complete on the Cluster; of a set, that one that it depends on does not exist.
	DependencyNotReadyReason = "DependencyNotReady"

	// VersionNotChosenReason means that no release was chosen yet.
	VersionNotChosenReason = "VersionNotChosen"

	// CRDsNotServedReason means that a CustomResourceDefinition is not served yet.
	CRDsNotServedReason = "CRDsNotServed"

	// KindNotServedReason means that the workload cluster does not serve a kind of the bundle.
	KindNotServedReason = "KindNotServed"

	// WorkloadsNotReadyReason means that a Deployment, DaemonSet, StatefulSet,
	// Job or Pod is not current.
	WorkloadsNotReadyReason = "WorkloadsNotReady"

	// ReadyWhenReason means that a readyWhen expression does not hold yet.
	ReadyWhenReason = "ReadyWhenNotMet"

	// ThrottledReason means that a server limits the rate of requests (HTTP 429), or
	// that the server of a source is unavailable (HTTP 503).
	ThrottledReason = "Throttled"

	// ReferenceNotFoundReason means that a ConfigMap or a Secret that a source
	// names does not exist.
	ReferenceNotFoundReason = "ReferenceNotFound"

	// NamespaceTerminatingReason means that a namespace of the bundle is being deleted.
	NamespaceTerminatingReason = "NamespaceTerminating"

	// ObjectTerminatingReason means that an object of the bundle is being deleted and
	// is applied again when it is gone.
	ObjectTerminatingReason = "ObjectTerminating"

	// PruningReason means that objects that left the bundle are being removed.
	PruningReason = "Pruning"

	// RemovingReason means that the bundle is being removed from the workload cluster.
	RemovingReason = "Removing"

	// FinalizerReason means that a finalizer keeps an object that is being removed
	// for longer than whoever set it should need.
	FinalizerReason = "FinalizerStuck"
)

// Reasons for failures that are tried again.
const (
	// FetchFailedReason means that a source could not be fetched.
	FetchFailedReason = "FetchFailed"

	// ApplyFailedReason means that the workload cluster's API server refused or failed a request.
	ApplyFailedReason = "ApplyFailed"

	// StoreFailedReason means that the cache directory could not be read or written.
	StoreFailedReason = "StoreFailed"

	// InternalErrorReason means an error without a better name.
	InternalErrorReason = "InternalError"
)

// Reasons for failures that stay until the spec, the source or the workload
// cluster changes.
const (
	// DigestMismatchReason means that the bytes of a source are not those of its digest.
	DigestMismatchReason = "DigestMismatch"

	// LimitExceededReason means that a source or an object is larger than a limit.
	LimitExceededReason = "LimitExceeded"

	// SourceInvalidReason means that a source cannot be used as it is written.
	SourceInvalidReason = "SourceInvalid"

	// SourceDeniedReason means that a source leads to an address that is denied.
	SourceDeniedReason = "SourceDenied"

	// ReferenceInvalidReason means that a ConfigMap or a Secret that a source names
	// is not of the form that the source needs.
	ReferenceInvalidReason = "ReferenceInvalid"

	// ArchiveInvalidReason means that an archive cannot be read, or holds what must
	// not be in one.
	ArchiveInvalidReason = "ArchiveInvalid"

	// ArtifactInvalidReason means that an OCI artifact is not one that can be read.
	ArtifactInvalidReason = "ArtifactInvalid"

	// ChartInvalidReason means that a Helm chart cannot be rendered.
	ChartInvalidReason = "ChartInvalid"

	// KustomizationInvalidReason means that a kustomization cannot be built, or needs what is
	// not in its archive.
	KustomizationInvalidReason = "KustomizationInvalid"

	// SignatureMissingReason means that a source that must be signed is not.
	SignatureMissingReason = "SignatureMissing"

	// SignatureInvalidReason means that the signature of a source is not from an
	// accepted key or identity, or cannot be trusted.
	SignatureInvalidReason = "SignatureInvalid"

	// ManifestInvalidReason means that a document is not a Kubernetes object.
	ManifestInvalidReason = "ManifestInvalid"

	// EditInvalidReason means that a set edits what a release does not have, or that a
	// release says of its objects what they do not have.
	EditInvalidReason = "EditInvalid"

	// ObjectConflictReason means that an object is duplicated in a release with different content.
	ObjectConflictReason = "ObjectConflict"

	// PhaseTimeoutReason means that a phase took longer than its timeout, whatever
	// kept it.
	PhaseTimeoutReason = "PhaseTimeout"

	// ObjectInvalidReason means that the workload cluster's API server does not
	// accept an object. Where its answer may change (HTTP 400 and 422) it is tried
	// again with back-off until the timeout of the phase.
	ObjectInvalidReason = "ObjectInvalid"

	// CollisionReason means that an object of the bundle has another owner.
	CollisionReason = "Collision"

	// ContestedReason means that another manager keeps changing an object of the
	// bundle back, so that it is no longer repaired.
	ContestedReason = "Contested"

	// ImmutableReason means that a field of an object that cannot be changed is
	// another one in the bundle.
	ImmutableReason = "Immutable"

	// DataLossReason means that a change of a CustomResourceDefinition would lose data.
	DataLossReason = "DataLoss"

	// CRDNamesConflictReason means that the names of a CustomResourceDefinition
	// are taken by another one.
	CRDNamesConflictReason = "CRDNamesConflict"

	// ExpressionInvalidReason means that a readyWhen expression does not compile.
	ExpressionInvalidReason = "ExpressionInvalid"

	// NoReleaseFitsReason means that no release of the Bundle fits the constraint
	// and the Kubernetes version.
	NoReleaseFitsReason = "NoReleaseFits"

	// NoUpgradePathReason means that the Bundle lacks a release of a minor version
	// between the one that is pinned and the one to have, or that it does not admit the
	// Kubernetes version.
	NoUpgradePathReason = "NoUpgradePath"

	// RolledBackReason means that the release to have failed, and that the one before
	// is pinned again.
	RolledBackReason = "RolledBack"

	// ConstraintInvalidReason means that a version or a constraint cannot be parsed.
	ConstraintInvalidReason = "ConstraintInvalid"

	// DependencyCycleReason means that a set depends, by way of others, on itself.
	DependencyCycleReason = "DependencyCycle"

	// SelectorInvalidReason means that the clusterSelector cannot be used.
	SelectorInvalidReason = "SelectorInvalid"

	// PatchFailedReason means that a patch of the set is invalid, or cannot be applied.
	PatchFailedReason = "PatchFailed"

	// FeatureDisabledReason means that the set asks for what a feature gate of the
	// manager turns off.
	FeatureDisabledReason = "FeatureDisabled"

	// PatchMatchesNothingReason means that a patch of the set that is not optional
	// selects nothing in the release.
	PatchMatchesNothingReason = "PatchMatchesNothing"

	// VariableNotSetReason means that the Cluster does not have yet what a patch needs of
	// it.
	VariableNotSetReason = "VariableNotSet"
)
