# Every command of the project. `make run` and `make test` need nothing but Python 3.11, Rust, Node and a network.

PYTHON ?= python3.11
PORT ?= 8000
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STATIC := python/snapseek/server/static/index.html
CORE := target/core.stamp
RUST_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find rust -name '*.rs')
WEB_SOURCES := web/package.json web/vite.config.ts web/svelte.config.js web/index.html $(shell find web/src web/public -type f 2>/dev/null)

# pytest on all cores; `make test-python WORKERS=` runs one test at a time.
WORKERS := -n auto --dist worksteal
OUTPUT_APART := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.DELETE_ON_ERROR:
.PHONY: help install run test test-quick lint types test-rust test-python test-web coverage coverage-rust wheel bench bench-million crash million schemathesis hostile-requests clip-client load figures live-figures preview-figures fuzz test-arm wheels sdist e2e docs cli-help lock deny lint-release clean chromium screenshots page-figures e2e-collection lighthouse stops fuzz-read soak asan ray bare-upgrade upgrade-kills

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  \1\t/' | expand -t 16

install: $(CORE) $(STATIC) ## Set up .venv, build the core and the page

run: install ## Index the demo pictures, serve the page, open it
	$(BIN)/snapseek demo demo/pictures --port $(PORT)

test: ## Run all tests: first those of Rust and of the page, then pytest on all cores
	$(MAKE) -j2 $(OUTPUT_APART) test-rust install lint types test-web chromium
	$(MAKE) test-python

test-quick: .venv/dev.stamp install ## Run the tests of the package that need no browser, no wheel and no seconds
	$(BIN)/pytest $(WORKERS) -m "not slow and not browser and not wheel"

lint: .venv/dev.stamp web/node_modules/.stamp ## Check formats, lints and import layers
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features python -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PYTHONPATH=python $(BIN)/lint-imports
	cd web && npm run --silent lint

types: .venv/dev.stamp $(CORE) web/node_modules/.stamp ## Check the types of Python, of the core's stub and of the page
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest snapseek._core
	cd web && npm run --silent check

test-rust: ## Run the tests of the Rust crate
	cargo test --locked

test-python: .venv/dev.stamp install chromium ## Tests of the package, of the built wheel and of the page in a browser
	$(BIN)/pytest $(WORKERS)

coverage: .venv/dev.stamp install ## Lines and branches of the package that its tests run, child processes included
	rm -rf target/coverage && mkdir -p target/coverage
	$(BIN)/coverage run -m pytest -q $(WORKERS) -m "not browser and not wheel and not slow" \
		--ignore tests/integration/test_cli_startup.py tests/unit tests/integration tests/server
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

coverage-rust: ## Lines of the crate that its tests run (needs cargo-llvm-cov)
	cargo llvm-cov --locked --summary-only

test-web: web/node_modules/.stamp ## Tests of the page's logic
	cd web && npm test --silent

e2e: .venv/dev.stamp install chromium ## Only the tests in a real browser
	$(BIN)/pytest $(WORKERS) -m browser

e2e-collection: .venv/dev.stamp install chromium ## Run the tests in a real browser against collections of two partitions
	SNAPSEEK_BROWSER_COLLECTION=1 $(BIN)/pytest $(WORKERS) -m browser tests/browser

bench: .venv/dev.stamp install ## Run the micro-benchmarks of the Rust kernels and of the Python API
	cargo bench --locked
	$(BIN)/pytest benches --benchmark-only

bench-million: .venv/dev.stamp $(CORE) wheel ## Compare with other indexes at 1.5 million vectors; filters, refine codes, opening (about 30 minutes)
	test -f target/clip/base.npy || $(BIN)/python -m benches.clip_like target/clip
	test -d target/peers-venv || $(PYTHON) -m venv target/peers-venv
	target/peers-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r benches/requirements-peers.txt
	target/peers-venv/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/snapseek-*.whl
	target/peers-venv/bin/python -m benches.peers --set target/clip
	$(BIN)/python -m benches.vector_figures --set target/clip

million: .venv/dev.stamp install ## Build a library of 1.5 million pictures in target/million and measure it (about 4 minutes, 5 GB)
	test -f target/clip/base.npy || $(BIN)/python -m benches.clip_like target/clip
	rm -rf target/million
	$(BIN)/python -m benches.million_library target/clip target/million

ray: .venv/dev.stamp install ## Index and serve on a Ray cluster of this machine while parts are killed (needs ray[serve]; RAY_PICTURES=20000)
	SNAPSEEK_RAY=$(RAY_PICTURES) $(BIN)/pytest -q -s -n 0 tests/cluster

crash: install ## Kill a writer or fill the disk at 2,400 moments, an upgrade at 300; 2,000 sequences among foreign files (about 30 minutes)
	SNAPSEEK_CRASHES=1200 $(BIN)/pytest -q tests/robustness/test_kill.py
	SNAPSEEK_CRASHES=100 $(BIN)/pytest -q tests/robustness/test_kill_upgrade.py
	SNAPSEEK_KILL_STEP=1 $(BIN)/pytest -q tests/robustness/test_kill_teaching.py
	SNAPSEEK_SEQUENCES=2000 $(BIN)/pytest -q -s tests/robustness/test_foreign_files.py

upgrade-kills: .venv/dev.stamp install ## Kill the job of an upgrade at 100 moments and 100 times in its switch, while a server answers (about 10 minutes)
	SNAPSEEK_JOB_KILLS=100 $(BIN)/pytest -q -n 0 tests/robustness/test_kill_upgrade_job.py

schemathesis: .venv/dev.stamp install ## Send 500 generated requests to each operation of the OpenAPI document, twice (some minutes)
	SNAPSEEK_EXAMPLES=500 $(BIN)/pytest -q tests/robustness/test_schemathesis.py

hostile-requests: .venv/dev.stamp install ## Send 10,000 random requests, hostile requests and bodies; open 1,500 idle connections (some minutes)
	SNAPSEEK_REQUESTS=10000 $(BIN)/pytest -q tests/robustness/test_hostile_requests.py
	$(BIN)/snapseek index demo/pictures --library target/demo-library
	$(BIN)/python -m benches.hostile_load target/demo-library

soak: .venv/dev.stamp install ## Send 100,000 mixed requests with and without caches; the cost of the settings of malloc (an hour, 3 GB)
	$(BIN)/python -m benches.soak target/soak
	$(BIN)/python -m benches.soak target/soak --no-caches
	$(BIN)/python -m benches.soak target/soak --throughput 9

asan: ## Run the tests of the Rust crate with AddressSanitizer (needs: rustup toolchain install nightly; 15 minutes)
	RUSTFLAGS=-Zsanitizer=address PROPTEST_CASES=16 cargo +nightly test --locked --lib --target $$(rustc -vV | sed -n 's/^host: //p') --target-dir target/asan

stops: .venv/dev.stamp install ## Stop the server and the search 200 times at random moments (some minutes)
	$(BIN)/snapseek index demo/pictures --library target/demo-library
	$(BIN)/python -m benches.stops target/demo-library --stops 200

clip-client: .venv/dev.stamp install ## Query the server with clip-retrieval's own ClipClient
	test -d target/clip-client-venv || $(PYTHON) -m venv target/clip-client-venv
	target/clip-client-venv/bin/pip install --quiet --disable-pip-version-check requests==2.34.2
	target/clip-client-venv/bin/pip install --quiet --disable-pip-version-check --no-deps clip-retrieval==2.45.0
	SNAPSEEK_CLIP_CLIENT_PYTHON=target/clip-client-venv/bin/python $(BIN)/pytest -q tests/server/test_clip_client.py

load: .venv/dev.stamp install ## Measure the server with 64 connections over target/million (make million), with a realistic text encoder
	test -d target/typed/library || $(BIN)/python -m benches.typed_tower target/million/model target/typed/model target/million/library target/typed/library
	$(BIN)/python -m benches.http_figures target/typed/library --steady 100000

figures: install ## Measure the demo library: index, query, HTTP
	$(BIN)/python -m benches.demo_figures

live-figures: install ## Measure search over HTTP while 10,000 pictures are added and 1,000 removed (half a minute)
	rm -rf target/live
	$(BIN)/python -m benches.live_figures target/live

preview-figures: install ## Measure previews and write a sheet of samples
	$(BIN)/python -m benches.preview_figures --sheet target/previews.png

RAY_PICTURES ?= 2000
LIBRARY ?= target/demo-library
page-figures: install chromium ## Measure keystroke to picture, long tasks and layout shift in Chromium, over LIBRARY=..., against the built page BEFORE=...
	$(BIN)/python -m benches.page_figures $(LIBRARY) $(if $(BEFORE),--before $(BEFORE))

lighthouse: install chromium ## Run Lighthouse on the page of LIBRARY=... (npm downloads it)
	benches/lighthouse.sh $(LIBRARY) target/lighthouse

screenshots: install chromium ## Take twelve screenshots of the page of the demo library, into target/screenshots
	$(BIN)/snapseek index demo/pictures --library target/demo-library
	$(BIN)/python -m benches.screenshots target/demo-library target/screenshots

fuzz: ## A million files of lies and damage through open, verify and search
	PROPTEST_CASES=500000 cargo test --locked --release a_mutated_file_is_refused_or_searched_safely -- --nocapture
	PROPTEST_CASES=100000 cargo test --locked --release every_kernel_agrees_with_the_reference

READ_CASES ?= 10000
fuzz-read: .venv/dev.stamp install ## Read 10,000 damaged libraries in child processes and 100,000 damaged record files (half an hour on two free cores)
	SNAPSEEK_READ_CASES=$(READ_CASES) SNAPSEEK_VALIDATOR_CASES=100000 $(BIN)/pytest -q -s tests/robustness/test_read_fuzz.py

test-arm: ## Lint and test the crate for 64-bit ARM on this machine (needs Debian's qemu-user and gcc-aarch64-linux-gnu)
	rustup target add aarch64-unknown-linux-gnu
	cargo clippy --locked --target aarch64-unknown-linux-gnu --lib --tests -- -D warnings
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
	cargo test --locked --target aarch64-unknown-linux-gnu --lib

docs: ## Build the documentation of the crate, without warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

cli-help: .venv/dev.stamp $(CORE) ## Write the help of every command into docs/CLI.md
	$(BIN)/python -m tests.support.cli_help

wheel: .venv/run.stamp $(STATIC) ## Build the wheel into dist/
	$(BIN)/maturin build --release --locked --out dist

bare-upgrade: .venv/dev.stamp $(STATIC) ## Upgrade with the wheel alone: from a hub on this machine, and without a network
	$(BIN)/pytest -q -n 0 -s -m wheel tests/integration/test_wheel.py -k bare

wheels: target/release-venv/.stamp $(STATIC) ## Build, check and try the wheels of five systems (needs Debian's gcc-mingw-w64-x86-64)
	target/release-venv/bin/python -m release.wheels

sdist: .venv/run.stamp $(STATIC) ## Build the source package into dist/
	$(BIN)/maturin sdist --out dist

lock: .venv/run.stamp ## Renew the lock files of the Python packages
	$(BIN)/pip install --quiet uv && PATH=$(abspath $(BIN)):$$PATH requirements/lock.sh

CHECKS ?= bans licenses sources
deny: ## Check licences and origins of the Rust dependencies (needs cargo-deny); CHECKS=advisories needs a network
	cargo deny check $(CHECKS)

ACTIONLINT := target/bin/actionlint
lint-release: target/release-venv/.stamp ## Check workflows, container files and versions (needs Go)
	test -x $(ACTIONLINT) || GOBIN=$(abspath target/bin) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
	$(ACTIONLINT)
	target/release-venv/bin/hadolint Dockerfile
	$(PYTHON) -m release.version

clean: ## Remove build products
	rm -rf .venv target dist web/node_modules python/snapseek/server/static
	find python -name '*.so' -delete

chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || tests/browser/install_chromium.sh

.venv/run.stamp: requirements/run.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

.venv/dev.stamp: requirements/dev.lock .venv/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

target/release-venv/.stamp: requirements/release.lock
	$(PYTHON) -m venv target/release-venv
	target/release-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

$(CORE): $(RUST_SOURCES) .venv/run.stamp
	VIRTUAL_ENV=$(abspath .venv) $(BIN)/maturin develop --release --locked
	$(BIN)/python -m compileall -q python/snapseek
	touch $@

web/node_modules/.stamp: web/package.json web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	touch $@

$(STATIC): $(WEB_SOURCES) web/node_modules/.stamp
	cd web && npm run --silent build
