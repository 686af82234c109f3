package rendered

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	// secretType is that of the Secrets. A source cannot name one of it.
	secretType corev1.SecretType = "addons.cluster.x-k8s.io/rendered" //nolint:gosec // a name

	// clusterLabel has the name of the Cluster. The label that Cluster API has for it would
	// have the managers of Cluster API, and this one, keep the content in memory.
	clusterLabel = "addons.cluster.x-k8s.io/cluster"

	// chartAnnotation says what was rendered, for people.
	chartAnnotation = "addons.cluster.x-k8s.io/chart"

	// contentKey has the manifests.
	contentKey = "manifests.yaml.gz"
)

// goneRetry is when to look again for a Secret that goes with an earlier Cluster.
const goneRetry = 10 * time.Second

// Rendering names what is kept: of which Cluster, and what was rendered.
type Rendering struct {
	// Cluster is the name of the Cluster, and UID its identity.
	Cluster types.NamespacedName
	UID     types.UID
	// Identity of what was rendered.
	Identity string
	// Chart describes it for people, without secrets.
	Chart string
}

// SecretName returns the name of the Secret of a rendering.
func (r Rendering) SecretName() string {
	sum := sha256.Sum256([]byte(r.Identity))
	return r.Cluster.Name + "-rendered-" + hex.EncodeToString(sum[:10])
}

// creator creates objects.
type creator interface {
	Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error
}

// Secrets keeps renderings. Both fields are required.
type Secrets struct {
	// Reader reads Secrets and Clusters of the management cluster, without a cache.
	Reader client.Reader
	// Creator creates Secrets there.
	Creator creator
}

// Load returns the manifests that are kept of a rendering, compressed with gzip; nil if
// there are none. Its errors name the Secret.
func (s Secrets) Load(ctx context.Context, of Rendering) ([]byte, error) {
	secret := &corev1.Secret{}
	err := s.Reader.Get(ctx, client.ObjectKey{Namespace: of.Cluster.Namespace, Name: of.SecretName()}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err == nil:
		err = check(secret, of)
	}
	if err != nil {
		return nil, fault.Wrap("Secret "+of.SecretName(), err)
	}
	return secret.Data[contentKey], nil
}

// errBroken means that a Secret cannot be used.
var errBroken = errors.New("it was changed and cannot be used: restore it, or delete it to have the chart rendered anew, " +
	"with other random values")

// check returns why a Secret cannot be used for a rendering.
func check(secret *corev1.Secret, of Rendering) error {
	if isGoing(secret, of) {
		return fault.Wait(v1alpha1.ReferenceInvalidReason, goneRetry,
			errors.New("it goes with an earlier Cluster of the same name, and is then made anew"))
	}
	if secret.Type != secretType || !isWhole(secret.Data[contentKey]) {
		return fault.Stall(v1alpha1.ReferenceInvalidReason, errBroken)
	}
	return nil
}

// isGoing reports whether a Secret is being deleted, or will be since another Cluster owns
// it. One without an owner was restored, and is as good as any.
func isGoing(secret *corev1.Secret, of Rendering) bool {
	if !secret.DeletionTimestamp.IsZero() {
		return true
	}
	for _, owner := range secret.OwnerReferences {
		if owner.Kind == clusterv1.ClusterKind && owner.UID != of.UID {
			return true
		}
	}
	return false
}

// Save keeps manifests as those of a rendering, and returns what is kept: what was there
// before, if somebody else was faster. Nothing is kept for a Cluster that is paused,
// being deleted or gone: it may be on its way to another management cluster.
func (s Secrets) Save(ctx context.Context, of Rendering, manifests io.Reader) ([]byte, error) {
	packed, err := pack(manifests)
	if err != nil {
		return nil, err
	}
	if err := s.mayCreate(ctx, of); err != nil {
		return nil, err
	}
	err = s.Creator.Create(ctx, secretOf(of, packed))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, fault.Wrap("Secret "+of.SecretName(), err)
	}
	kept, err := s.Load(ctx, of)
	if err == nil && kept == nil {
		err = fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("Secret %s is gone again", of.SecretName()))
	}
	return kept, err
}

func secretOf(of Rendering, packed []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: of.Cluster.Namespace, Name: of.SecretName(),
			Labels:      map[string]string{clusterLabel: of.Cluster.Name},
			Annotations: map[string]string{chartAnnotation: of.Chart},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: clusterv1.GroupVersion.String(), Kind: clusterv1.ClusterKind,
				Name: of.Cluster.Name, UID: of.UID,
			}},
		},
		Type: secretType, Immutable: new(true),
		Data: map[string][]byte{contentKey: packed},
	}
}
