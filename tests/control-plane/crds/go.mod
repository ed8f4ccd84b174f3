module netdr.test/crds

go 1.26

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/k3s-io/helm-controller v0.17.9
	github.com/projectcalico/calico v1.11.0-cni-plugin.0.20250813170300-a0db560f0520
	github.com/traefik/traefik/v3 v3.7.13
	go.universe.tf/metallb v0.16.2
	sigs.k8s.io/gateway-api v1.5.1
	sigs.k8s.io/network-policy-api v0.1.1
)
