# Two commands: `make demo` runs the whole way once and stays up, `make test` runs every test.
# Each installs what is missing: PostgreSQL's server binaries (no server is started by the installation).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
EMPLOYEES ?= 200

.PHONY: help demo schemathesis test tools postgres lint deny conformance hr-systems

help:
	@echo 'make demo   a sandbox HR system, the bridge and an app, end to end (EMPLOYEES=200)'
	@echo 'make test   every test'
	@echo 'make lint   formatting, clippy and documentation, warnings as errors'
	@echo 'make conformance   docs/conformance.md from the tests'
	@echo 'make hr-systems    docs/hr-systems.md from the manifests'
	@echo 'make deny   licences, duplicates and sources of the dependencies'

demo: postgres
	cargo run --quiet -- demo --employees $(EMPLOYEES) $(ARGS)

test: postgres tools
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked --no-fail-fast; else cargo test --locked --no-fail-fast; fi

# The page of what is held by which test, from the marks on the tests.
conformance:
	SCIM_BRIDGE_WRITE_CONFORMANCE=1 cargo test --locked --quiet --test it conformance::

# The table of the HR systems that can be read, from their manifests.
hr-systems:
	SCIM_BRIDGE_WRITE_HR_SYSTEMS=1 cargo test --locked --quiet --test it connector::hr_systems::

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items --quiet

deny:
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked
	cargo deny --locked check bans licenses sources
	@if timeout 60 cargo deny fetch db >/dev/null 2>&1; then cargo deny --locked check advisories; \
	else echo 'ADVISORIES NOT CHECKED: their database cannot be reached from here'; fi

# The server binaries, found where `scim-bridge` looks for them, else installed.
postgres:
	@if [ -n "$${SCIM_BRIDGE_PG_BIN:-}" ] || command -v initdb >/dev/null \
	  || ls /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb /usr/pgsql-*/bin/initdb >/dev/null 2>&1; then exit 0; fi; \
	echo 'PostgreSQL server binaries are missing: installing them'; \
	if command -v apt-get >/dev/null; then \
	  $(SUDO) mkdir -p /etc/postgresql-common/createcluster.d; \
	  echo 'create_main_cluster = false' | $(SUDO) tee /etc/postgresql-common/createcluster.d/no-main-cluster.conf >/dev/null; \
	  $(SUDO) apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq postgresql >/dev/null; \
	elif command -v brew >/dev/null; then brew install --quiet postgresql@17; \
	else echo 'install the PostgreSQL server (15 or newer) with your package manager, or set SCIM_BRIDGE_PG_BIN' >&2; exit 1; fi

# Tries every end point by its description; prints what it finds (EXAMPLES=60 requests for each operation).
schemathesis: postgres tools
	cargo build --locked --quiet
	target/judges/python/bin/pip install -q schemathesis==4.32.5
	tests/judges/schemathesis.sh

# SCIM software of others that judges ours: a conformance tester and two servers. Tests that need a part which could
# not be installed say so in their output.
tools: target/judges/.ready sshd
target/judges/.ready: tests/judges/requirements.txt tests/judges/package.json
	@mkdir -p target/judges
	@python3 -m venv target/judges/python && target/judges/python/bin/pip install -q -r tests/judges/requirements.txt \
	  || echo 'NOT INSTALLED: scim2-tester, scim-sanity and scim2-server (they need python3 with venv and pip)'
	@cp tests/judges/package.json target/judges/ && npm install --silent --no-audit --no-fund --prefix target/judges \
	  || echo 'NOT INSTALLED: scimmy-routers (it needs node with npm)'
	@command -v chromedriver >/dev/null && command -v xmlsec1 >/dev/null \
	  || { command -v apt-get >/dev/null && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq xmlsec1 chromium chromium-driver >/dev/null; } \
	  || echo 'NOT INSTALLED: xmlsec1, chromium and chromedriver (for setup links in a real browser, and signed assertions)'
	@touch $@

# A real SFTP server, which tests start for themselves on a port of their own; no service is started.
.PHONY: sshd
sshd:
	@if [ -x /usr/sbin/sshd ]; then exit 0; fi; \
	if command -v apt-get >/dev/null; then \
	  $(SUDO) apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $(SUDO) apt-get install -y -qq openssh-server openssh-client >/dev/null; \
	else echo 'NOT INSTALLED: openssh-server'; fi
