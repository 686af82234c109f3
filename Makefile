# "make" alone lists the targets. Everything is built from Go modules: nothing
# is downloaded but from GOPROXY.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export GOTOOLCHAIN := local

BIN := $(CURDIR)/bin
OUT := $(CURDIR)/out

VERSION ?= v0.1.0-dev
IMAGE ?= ghcr.io/cluster-bundle/cluster-api-addon-provider-bundle
# Image that the Dockerfile builds in. Empty: the Dockerfile's own default.
BASE ?=

# The Kubernetes version of the control plane is written once, in hack/controlplane/go.mod.
KUBERNETES := $(shell sed -n 's|^\tk8s.io/kubernetes \(v[0-9.]*\).*|\1|p' hack/controlplane/go.mod)
KUBERNETES_PARTS := $(subst ., ,$(KUBERNETES:v%=%))
COMPONENT := k8s.io/component-base/version
# So is that of Cluster API, which clusterctl compares with its providers.
CAPI := $(shell sed -n 's|^\tsigs.k8s.io/cluster-api \(v[0-9.]*\).*|\1|p' hack/controlplane/go.mod)
CAPI_PARTS := $(subst ., ,$(CAPI:v%=%))
CAPI_VERSION := sigs.k8s.io/cluster-api/version
CONTROLPLANE_LDFLAGS := -s -w -X $(COMPONENT).gitVersion=$(KUBERNETES) \
	-X $(COMPONENT).gitMajor=$(word 1,$(KUBERNETES_PARTS)) -X $(COMPONENT).gitMinor=$(word 2,$(KUBERNETES_PARTS)) \
	-X $(CAPI_VERSION).gitVersion=$(CAPI) \
	-X $(CAPI_VERSION).gitMajor=$(word 1,$(CAPI_PARTS)) -X $(CAPI_VERSION).gitMinor=$(word 2,$(CAPI_PARTS))

# What KUBEBUILDER_ASSETS has need not be built.
CONTROLPLANE := etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok capi-core clusterctl
ASSETS := $(if $(KUBEBUILDER_ASSETS),$(notdir $(wildcard $(KUBEBUILDER_ASSETS)/*)))
CONTROLPLANE_FILES := $(addprefix $(BIN)/,$(filter-out $(ASSETS),$(CONTROLPLANE)))
CLIENTS_FILES := $(addprefix $(BIN)/clients/,oras helm crane cosign registry)
TOOLS_FILES := $(addprefix $(BIN)/,controller-gen golangci-lint govulncheck kustomize)

PACKAGE_etcd := go.etcd.io/etcd/server/v3
PACKAGE_kube-apiserver := k8s.io/kubernetes/cmd/kube-apiserver
PACKAGE_kube-controller-manager := k8s.io/kubernetes/cmd/kube-controller-manager
PACKAGE_kube-scheduler := k8s.io/kubernetes/cmd/kube-scheduler
PACKAGE_kubectl := k8s.io/kubernetes/cmd/kubectl
PACKAGE_kwok := sigs.k8s.io/kwok/cmd/kwok
PACKAGE_capi-core := sigs.k8s.io/cluster-api/core
PACKAGE_clusterctl := sigs.k8s.io/cluster-api/cmd/clusterctl
PACKAGE_controller-gen := sigs.k8s.io/controller-tools/cmd/controller-gen
PACKAGE_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
PACKAGE_govulncheck := golang.org/x/vuln/cmd/govulncheck
PACKAGE_oras := oras.land/oras/cmd/oras
PACKAGE_helm := helm.sh/helm/v4/cmd/helm
PACKAGE_crane := github.com/google/go-containerregistry/cmd/crane
PACKAGE_cosign := github.com/sigstore/cosign/v3/cmd/cosign
PACKAGE_registry := github.com/distribution/distribution/v3/cmd/registry
PACKAGE_kustomize := sigs.k8s.io/kustomize/kustomize/v5

# The modules with our own code, and what "generate" writes.
MODULES := . $(patsubst %/go.mod,%,$(wildcard e2e/go.mod))
GENERATED := 'api/**/zz_generated.*.go' 'config/crd/bases/*.yaml'

##@ Development

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: generate
generate: $(BIN)/controller-gen ## Write the deep copies and the CRDs of api/.
	@$(BIN)/controller-gen paths=./api/... object crd output:crd:dir=config/crd/bases

.PHONY: lint
lint: $(BIN)/golangci-lint ## Check the code as .golangci.yaml has it.
	@failed=; for module in $(MODULES); do \
		(cd $$module && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yaml ./...) || failed=1; \
	done; [ -z "$$failed" ]

.PHONY: vulncheck
vulncheck: $(BIN)/govulncheck ## Look for known vulnerabilities that the manager reaches. Asks vuln.go.dev.
	@$(BIN)/govulncheck .

.PHONY: tidy
tidy: ## Tidy the go.mod of every module.
	@for module in $(MODULES) hack/tools hack/controlplane hack/clients; do (cd $$module && go mod tidy); done

.PHONY: run
run: ## Run the manager against the cluster of the current kubeconfig.
	go run . --cache-dir=$(OUT)/cache --diagnostics-address=localhost:8080 --insecure-diagnostics

.PHONY: demo
demo: controlplane ## Show the provider at work on clusters of its own. KEEP=1 leaves them running.
	@cd e2e && KEEP=$(KEEP) go run ./demo

##@ Tests

# The packages whose tests start no control plane: all that do not depend on
# internal/testenv, without hack/, which builds the image.
UNIT = $(shell go list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... \
	| awk '$$1 ~ /\.test$$/ && !/\/internal\/testenv/ && $$1 !~ /\/hack\// {sub(/\.test$$/, "", $$1); print $$1}')
FUZZTIME ?= 10s

# Tests mostly wait, so there may be more of them at once than processors.
PARALLEL ?= 6

# Not from Go's cache: it does not see the programs that tests run, go list among them.
.PHONY: test
test: controlplane $(BIN)/kustomize ## Run all tests against real API servers.
	@failed=; for module in $(MODULES); do \
		(cd $$module && go test -race -count=1 -timeout 40m -parallel $(PARALLEL) ./...) || failed=1; \
	done; [ -z "$$failed" ]

.PHONY: cost
cost: controlplane ## Print what a life of Calico costs its API server, beside kubectl.
	@mkdir -p $(OUT)
	@COST_FILE=$(OUT)/cost.txt go test -count=1 -timeout 10m -run '^TestWhatALifeOfCalicoCostsBesideKubectl$$' ./test
	@cat $(OUT)/cost.txt

# What else runs on the machine counts: times are compared.
.PHONY: bench
bench: controlplane ## Compare with other ways, and write docs/benchmarks.md. BUNDLES, WAYS and ROUNDS (5) choose a part.
	@mkdir -p $(OUT)
	@cd e2e && go build -o $(OUT)/bench-program ./bench && \
		DOCS_DIR=$(CURDIR)/docs OUT_DIR=$(OUT)/bench BUNDLES=$(BUNDLES) WAYS=$(WAYS) ROUNDS=$(ROUNDS) $(OUT)/bench-program

.PHONY: test-unit
test-unit: ## Run the tests that need no control plane.
	@go test -count=1 -timeout 5m $(UNIT)

# What else runs on the machine counts: repairs are timed.
IDLE_TIME ?= 10m
.PHONY: test-idle
test-idle: controlplane ## Count what idle Clusters are asked for in IDLE_TIME (10m), and time repairs.
	@IDLE_TIME=$(IDLE_TIME) go test -count=1 -timeout 60m -parallel 1 -v \
		-run '^Test(NothingIsAskedOfIdleClusters|WhatSomebodyChangesOfCalicoIsRepairedAlone)$$' ./test

.PHONY: test-hostile
test-hostile: controlplane ## Install twenty Clusters beside eight hostile Bundles, and beside none.
	@mkdir -p $(OUT)
	@HOSTILE_FILE=$(OUT)/hostile.txt go test -count=1 -timeout 20m -run '^TestHostileBundlesDisturbNobodyElse$$' ./test
	@cat $(OUT)/hostile.txt

.PHONY: test-connect
test-connect: controlplane ## Time the first apply from the moment at which a Cluster can be connected.
	@mkdir -p $(OUT)
	@CONNECT_FILE=$(OUT)/connect.txt go test -count=1 -timeout 20m -run '^TestTheFirstApplyFollowsTheControlPlane$$' ./test
	@cat $(OUT)/connect.txt

.PHONY: test-move
test-move: controlplane $(BIN)/kustomize ## Move Clusters between two management clusters, in every state.
	@mkdir -p $(OUT)
	@MOVE_FILE=$(OUT)/move.txt go test -race -count=1 -timeout 20m -run '^TestClusterctlMovesWithoutATrace$$' ./test; \
		status=$$?; cat $(OUT)/move.txt; exit $$status

.PHONY: test-clients
test-clients: $(CLIENTS_FILES) ## Push, sign and deliver with the real oras, helm, crane and cosign.
	@CLIENTS=$(BIN)/clients go test -count=1 -timeout 10m -v -run '^TestRealClients$$' ./internal/source

.PHONY: test-property
test-property: controlplane ## Run SEEDS (20) random sequences of STEPS (12) operations, from SEED (1).
	@SEED=$(or $(SEED),1) SEEDS=$(or $(SEEDS),20) STEPS=$(or $(STEPS),12) \
		go test -count=1 -timeout 24h -v -run TestAnySequence ./test

.PHONY: test-files
test-files: controlplane ## Apply every published file in FILES_DIR, as one phase and as many.
	@[ -n "$(FILES_DIR)" ] || { echo "set FILES_DIR to a folder with published manifests" >&2; exit 1; }
	@FILES_DIR=$(abspath $(FILES_DIR)) go test -count=1 -timeout 60m \
		-run '^TestEveryPublishedFileIsAppliedWhole$$' ./test

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s).
	@go test -list '^Fuzz' $(UNIT) ./internal/workload \
		| awk '/^Fuzz/ {targets[++n] = $$1} /^ok/ {for (; n; n--) print $$2, targets[n]}' \
		| while read -r package target; do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package" </dev/null || exit 1; \
		done

.PHONY: bench-unit
bench-unit: ## Run the benchmarks that need no control plane.
	@go test -run '^$$' -bench . -benchmem $(UNIT) | grep -v '\[no test files\]\|^ok .*\|^PASS$$'

.PHONY: verify-generated
verify-generated: generate ## Fail when what is generated is not what is committed.
	@git diff --exit-code -- $(GENERATED)
	@untracked=$$(git ls-files --others --exclude-standard -- $(GENERATED)); \
	if [ -n "$$untracked" ]; then echo "generated, but not committed:" $$untracked >&2; exit 1; fi

# What an edge or a locked-down installation may leave out. A comma joins tags.
TAG_SETS := all no_helm no_kustomize no_sigstore no_helm,no_kustomize,no_sigstore

.PHONY: build-tags
build-tags: ## Build the manager without what build tags leave out, and print the sizes.
	@mkdir -p $(OUT)
	@for tags in $(TAG_SETS); do \
		CGO_ENABLED=0 go build -tags "$$tags" -trimpath -ldflags "-s -w" -o $(OUT)/manager-tags . || exit 1; \
		printf '%-40s %5.1f MB  %3d modules\n' "$$tags" "$$(stat -c %s $(OUT)/manager-tags)e-6" \
			"$$(go version -m $(OUT)/manager-tags | grep -c '^	dep')"; \
	done
	@rm $(OUT)/manager-tags
	@go test -count=1 -tags "$(lastword $(TAG_SETS))" -run 'NotBuiltIn$$' ./internal/source/...

# The program is built first, so that an interrupt reaches it and nothing else.
FLEET = $(OUT)/fleet

.PHONY: fleet-program
fleet-program:
	@mkdir -p $(OUT)
	@go build -C e2e -o $(FLEET) ./fleet

.PHONY: scale
scale: controlplane fleet-program ## Install Calico on N (100) simulated Clusters and measure; IDLE (10m) is how long they rest.
	@$(FLEET) scale -n $(or $(N),100) -idle $(or $(IDLE),10m) -out $(OUT)

.PHONY: scale-idle
scale-idle: controlplane fleet-program ## Measure N (10000) Clusters to which nothing happens, for IDLE.
	@$(FLEET) idle -n $(or $(N),10000) -idle $(or $(IDLE),10m) -out $(OUT)

.PHONY: scale-report
scale-report: fleet-program ## Write what the runs in out/ measured to docs/sizing.md.
	@$(FLEET) report -out $(OUT) -page docs/sizing.md

##@ Release

.PHONY: image
image: ## Build the image IMAGE:VERSION, in the builder image BASE.
	@command -v buildah >/dev/null || { echo "buildah is missing: apt-get install buildah" >&2; exit 1; }
	buildah bud --isolation chroot --build-arg VERSION=$(VERSION) $(if $(BASE),--build-arg BASE=$(BASE)) \
		--tag $(IMAGE):$(VERSION) .

# What "clusterctl init --addon" reads as a local repository, and install.yaml, the same
# with the defaults of clusterctl's variables, for kubectl.
METADATA ?= metadata.yaml
RELEASE = $(OUT)/addon-bundle/$(VERSION)

.PHONY: release
release: $(BIN)/kustomize ## Write what clusterctl and kubectl install to out/addon-bundle/VERSION. DIGEST pins the image.
	@[[ "$(VERSION)" =~ ^v([0-9]+)\.([0-9]+)\.[0-9]+(-[0-9A-Za-z.-]+)?$$ ]] || \
		{ echo "VERSION=$(VERSION) is not vX.Y.Z" >&2; exit 1; }; \
	tr '\n' ' ' <$(METADATA) | grep -q -- "- major: $${BASH_REMATCH[1]}  *minor: $${BASH_REMATCH[2]} " || \
		{ echo "VERSION=$(VERSION) has no release series in $(METADATA): clusterctl would refuse it" >&2; exit 1; }
	@[[ "$(DIGEST)" =~ ^(sha256:[0-9a-f]{64})?$$ ]] || { echo "DIGEST=$(DIGEST) is not sha256:…" >&2; exit 1; }
	@mkdir -p $(RELEASE)
	@$(BIN)/kustomize build config/default \
		| sed 's|^\( *image:\) .*|\1 $(IMAGE):$(VERSION)$(addprefix @,$(DIGEST))|' >$(RELEASE)/addon-components.yaml
	@sed -E 's/\$$\{CAAPB_[A-Z_]+:=([^}]*)\}/\1/g' $(RELEASE)/addon-components.yaml >$(RELEASE)/install.yaml
	@! grep -n '\$${' $(RELEASE)/install.yaml >&2 || { echo "a variable without a default" >&2; exit 1; }
	@cp $(METADATA) $(RELEASE)/metadata.yaml
	@ls $(RELEASE)/*

# More of a clusterctl.yaml: first further providers, as "- {name: …}", then variables and images.
CLUSTERCTL_SETTINGS ?= /dev/null

.PHONY: install-local
install-local: release $(BIN)/clusterctl ## Install the release, with IMAGE:VERSION, in the cluster of the current kubeconfig.
	@printf 'providers:\n- {name: bundle, type: AddonProvider, url: "file://%s/addon-components.yaml"}\n' \
		$(abspath $(RELEASE)) | cat - $(CLUSTERCTL_SETTINGS) >$(OUT)/clusterctl.yaml
	@$(BIN)/clusterctl --config $(OUT)/clusterctl.yaml init --addon bundle:$(VERSION)

##@ Programs

.PHONY: controlplane
controlplane: $(CONTROLPLANE_FILES) ## Build the Kubernetes control plane of the tests and the demo.

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BIN) $(OUT)

# These change only with their go.mod.
$(addprefix $(BIN)/,$(CONTROLPLANE)): hack/controlplane/go.mod hack/controlplane/go.sum
	@echo "building $(@F)"
	@CGO_ENABLED=0 go build -C hack/controlplane -trimpath -ldflags "$(CONTROLPLANE_LDFLAGS)" -o $@ $(PACKAGE_$(@F))
	@touch $@

$(CLIENTS_FILES): hack/clients/go.mod hack/clients/go.sum
	@echo "building $(@F)"
	@CGO_ENABLED=0 go build -C hack/clients -trimpath -ldflags "-s -w" -o $@ $(PACKAGE_$(@F))
	@touch $@

$(TOOLS_FILES): hack/tools/go.mod hack/tools/go.sum
	@echo "building $(@F)"
	@CGO_ENABLED=0 go build -C hack/tools -trimpath -ldflags "-s -w" -o $@ $(PACKAGE_$(@F))
	@touch $@
