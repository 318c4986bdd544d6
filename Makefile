# What this project can do on a machine with Rust, a C compiler and some CPython >= 3.12. `make help` lists it.
# PYTHON=/path/to/python3 chooses the Python; without it .ci/find-python looks on PATH and among pyenv's versions.

VENV := .venv
BIN := $(VENV)/bin
TARGET := $(or $(CARGO_TARGET_DIR),target)
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src -name '*.rs')
# What libFuzzer needs to see which way an input takes, and AddressSanitizer.
FUZZ_FLAGS := --cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
FUZZ_SECONDS ?= 60
# Most tests wait. Each process comes to some GB, as interpreters that had loaded NumPy leave memory behind.
JOBS ?= 3
RIVALS := iceoryx2 joblib pyarrow ray
FUZZ_TARGETS := dtypes handles messages packets

# Without the first, cargo links libpython into the extension and says nothing; the second is what abi3 is read from.
export PYO3_BUILD_EXTENSION_MODULE := 1
export PYO3_PYTHON := $(abspath $(BIN)/python)

# Tests start interpreters by the thousand, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo build test rust python numpy-suite lint bench instructions loom fuzz asan wheel clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: build ## the demo on the standard library's sources; FILES="a.npy b.csv" for others
	@$(BIN)/crossbuf demo $(FILES)

build: $(VENV)/.extension ## the extension, in .venv

test: rust python lint ## everything a change must pass

rust: $(VENV)/.build ## format, clippy, tests and documentation of the Rust code
	cargo fmt --check
	@! grep -rn 'std::sync::atomic' src --include='*.rs' | grep -v '^src/sync.rs:' || { echo "atomics come from crate::sync, which loom can replace" >&2; exit 1; }
	cargo clippy --all-targets -- -D warnings
	cargo clippy --all-targets --features cpython -- -D warnings
	cargo clippy --all-targets --features numpy -- -D warnings
	cargo test
	cargo run --quiet --example hello
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

python: build $(VENV)/.test ## the Python tests, in JOBS processes; ARGS="-k name" for some
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

numpy-suite: build $(VENV)/.numpy-suite ## NumPy's own test suite inside a worker interpreter against the main one: minutes; ARGS=--slice for a part
	$(BIN)/python tests/numpy_suite $(ARGS)

lint: build $(VENV)/.test $(VENV)/.lint ## ruff, mypy and stubtest
	$(BIN)/ruff check python tests/python tests/numpy_suite benches examples
	$(BIN)/ruff format --check python tests/python tests/numpy_suite benches examples
	for version in 3.12 3.13 3.14; do $(BIN)/mypy --python-version $$version || exit 1; done
	MYPYPATH=python $(BIN)/python -m mypy.stubtest crossbuf._core

bench: build $(VENV)/.rivals ## the benchmark with its page, .build/bench.html, against all rivals that can be had; ARGS="--quick --only sizes"
	@mkdir -p .build
	$(BIN)/crossbuf bench --json .build/bench.json --html .build/bench.html $(ARGS)

instructions: ## instructions of short work in the core, counted by valgrind, against a baseline; ACCEPT=1 makes them the baseline
	@command -v valgrind >/dev/null || { echo "no valgrind found: install it, on Debian and Fedora as the package valgrind" >&2; exit 1; }
	cargo bench --bench instructions $(if $(ACCEPT),-- --accept)

loom: ## the models of the lock-free parts: tests whose path has "models" in it
	RUSTFLAGS="--cfg loom" CARGO_PROFILE_RELEASE_LTO=off LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib --target-dir $(TARGET)/loom models

fuzz: ## each fuzz target for FUZZ_SECONDS
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --release --manifest-path tests/fuzz/Cargo.toml --target $(HOST) --target-dir $(TARGET)/fuzz
	@mkdir -p $(FUZZ_TARGETS:%=.build/corpus/%)
	@echo "fuzzing each of $(FUZZ_TARGETS) for $(FUZZ_SECONDS) s, two at once"
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P 2 -I {} env $(TARGET)/fuzz/$(HOST)/release/{} -max_total_time=$(FUZZ_SECONDS) \
	    -artifact_prefix=.build/corpus/ -verbosity=0 -print_funcs=0 .build/corpus/{}

asan: ## the Rust tests under AddressSanitizer
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --lib --tests --target $(HOST) --target-dir $(TARGET)/asan \
	    -- --skip limit_of_address_space

wheel: $(VENV)/.build ## one wheel for every CPython >= 3.12, in .build/dist
	rm -rf .build/dist
	$(BIN)/maturin build --release --out .build/dist

clean: ## removes what was built
	rm -rf $(VENV) .build target tests/fuzz/target python/crossbuf/_core*.so

# The virtual environment grows by what a target needs: maturin and NumPy first, the tests' tools and the linters when they are used.

$(VENV)/.build: pyproject.toml .ci/find-python
	@command -v cargo >/dev/null || { echo "no cargo found: install Rust, see https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "no C compiler found: install gcc or clang" >&2; exit 1; }
	@python=$$(.ci/find-python) && .ci/quietly "making $(VENV) with $$python" "$$python" -m venv --upgrade-deps $(VENV)
	@.ci/quietly "installing maturin and NumPy" $(BIN)/python -m pip install --group build
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.numpy-suite: $(VENV)/.%: $(VENV)/.build
	@.ci/quietly "installing what $* needs" $(BIN)/python -m pip install --group $*
	@touch $@

# Not every rival can be had for every CPython: the benchmark says which it skips.
$(VENV)/.rivals: $(VENV)/.build
	@.ci/quietly "installing matplotlib" $(BIN)/python -m pip install "matplotlib>=3.10"
	@for rival in $(RIVALS); do .ci/quietly "installing $$rival" $(BIN)/python -m pip install --only-binary :all: "$$rival" || true; done
	@touch $@

$(VENV)/.extension: $(VENV)/.build $(SOURCES)
	@.ci/quietly "building the extension" $(BIN)/maturin develop --release
	@touch $@
