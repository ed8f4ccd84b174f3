# netdr: every command a contributor needs. `make help` lists them.
.PHONY: help build demo test test-all test-tools bench lint control-plane
.DEFAULT_GOAL := help

# Stories that need a program which is not on every machine (make test-tools).
TOOLED := story::sshd story::promtool story::browser
# What `netdr demo` runs; the tests need kubectl, helm and age as well.
DEMO_PROGRAMS := crds etcd kube-apiserver kube-controller-manager kube-scheduler kwok

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

build: ## the release binary, target/release/netdr, which says in its reports of which commit it is
	NETDR_COMMIT="$$(git describe --always --dirty --exclude '*' --abbrev=12 2>/dev/null)" cargo build --release

demo: ## back up a disposable cluster, break it, restore it, and see how long that took
	@tests/control-plane/build $(DEMO_PROGRAMS)
	cargo build
	@target/debug/netdr demo

control-plane: ## the programs that tests and demo run against (once, then cached below target/)
	@tests/control-plane/build

test: control-plane ## every test that needs nothing installed but Rust, Go, git, tar, zstd and ssh-keygen
	cargo test -- $(addprefix --skip ,$(TOOLED))

test-all: test ## every test, also those that need a real sshd, promtool and a browser (make test-tools)
	cargo test --test integration -- $(TOOLED)

test-tools: ## the stock programs that tests call, by apt (needs root where some are missing)
	@tests/tools

bench: control-plane ## the figures of docs/performance.md
	cargo bench --bench netdr

lint: ## format, clippy, and what cargo-deny checks
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	cargo test --quiet --test integration structure
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; fi
