package inventory

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	namespace := schema.GroupKind{Kind: "Namespace"}
	service := schema.GroupKind{Kind: "Service"}
	tests := map[string]struct {
		givenView View
		givenKind schema.GroupKind
		givenSHA  string // "new" if empty
		want      Decision
		always    Decision // with adoption Always; want if empty
	}{
		"what is not there is applied": {givenKind: service, want: Apply},

		"ours is kept when it is equal":              {View{Claim: Ours, SHA256: "new"}, service, "", Keep, ""},
		"ours is applied when it differs":            {View{Claim: Ours, SHA256: "old"}, service, "", Apply, ""},
		"ours is applied when nobody knows":          {View{Claim: Ours}, service, "", Apply, ""},
		"no sum is equal to no sum":                  {View{Claim: Ours}, service, "none", Apply, ""},
		"a Namespace of ours is one like any other":  {View{Claim: Ours, SHA256: "old"}, namespace, "", Apply, ""},
		"what nobody owns is taken over":             {View{Claim: Free}, service, "", TakeOver, ""},
		"a Namespace that nobody owns is taken over": {View{Claim: Free}, namespace, "", TakeOver, ""},
		"what a gone set left is taken over":         {View{Claim: Abandoned}, service, "", TakeOver, ""},
		"a Namespace that a gone set left, likewise": {View{Claim: Abandoned}, namespace, "", TakeOver, ""},
		"what another tool owns is a collision":      {View{Claim: Foreign}, service, "", Collide, TakeOver},
		"so is a Namespace that another tool owns":   {View{Claim: Foreign}, namespace, "", Collide, TakeOver},
		"other content of another set is a collision": {
			View{Claim: OtherSet, OwnerSHA256: "old"}, service, "", Collide, TakeOver,
		},
		"so is unknown content of another set":   {View{Claim: OtherSet}, service, "", Collide, TakeOver},
		"unknown is not equal to unknown":        {View{Claim: OtherSet}, service, "none", Collide, TakeOver},
		"equal content of another set is shared": {View{Claim: OtherSet, OwnerSHA256: "new"}, service, "", Share, ""},
		"what is shared is kept when it is equal": {
			View{Claim: OtherSet, SHA256: "new", OwnerSHA256: "new"}, service, "", Keep, "",
		},
		"what both sets change alike is shared again": {
			View{Claim: OtherSet, SHA256: "old", OwnerSHA256: "new"}, service, "", Share, "",
		},
		"what only we change is a collision": {
			View{Claim: OtherSet, SHA256: "old", OwnerSHA256: "old"}, service, "", Collide, TakeOver,
		},
		"what only its owner changed is a collision": {
			View{Claim: OtherSet, SHA256: "new", OwnerSHA256: "newer"}, service, "", Collide, TakeOver,
		},
		"a Namespace of another set is shared": {
			View{Claim: OtherSet, OwnerSHA256: "old"}, namespace, "", Share, "",
		},
		"a Namespace of another set is shared though nobody knows what it is": {
			View{Claim: OtherSet}, namespace, "", Share, "",
		},
		"a shared Namespace is kept whatever its owner applied": {
			View{Claim: OtherSet, SHA256: "new", OwnerSHA256: "old"}, namespace, "", Keep, "",
		},
		"a shared Namespace of which ours differs is applied": {
			View{Claim: OtherSet, SHA256: "old", OwnerSHA256: "old"}, namespace, "", Share, "",
		},
		"a Namespace of another group is none": {
			View{Claim: OtherSet, OwnerSHA256: "old"}, schema.GroupKind{Group: "example.com", Kind: "Namespace"}, "",
			Collide, TakeOver,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sha := map[string]string{"": "new", "none": ""}[test.givenSHA]
			for _, adoption := range []v1alpha1.Adoption{"", v1alpha1.IfUnownedAdoption} {
				if got := Decide(test.givenView, test.givenKind, sha, adoption); got != test.want {
					t.Errorf("adoption %q: want %s, got %s", adoption, test.want, got)
				}
			}
			always := test.always
			if always == "" {
				always = test.want
			}
			if got := Decide(test.givenView, test.givenKind, sha, v1alpha1.AlwaysAdoption); got != always {
				t.Errorf("adoption Always: want %s, got %s", always, got)
			}
			terminating := test.givenView
			terminating.Terminating = true
			if got := Decide(terminating, test.givenKind, sha, v1alpha1.AlwaysAdoption); got != WaitGone {
				t.Errorf("while it is being deleted: want WaitGone, got %s", got)
			}
		})
	}
}
