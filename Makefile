# saseo: build, try, test.
#
# One optimised profile (release) serves the demo, the tests and the benchmarks, so the
# inference engine is built once. The inner loop is `cargo test --no-default-features`.

CARGO ?= cargo
SASEO := $(CARGO) run --release --locked --quiet --
# Where the tests look for the starter models.
export SASEO_TEST_MODELS ?= $(HOME)/.cache/saseo/models

.PHONY: demo test test-core storms bench lint twin oracle check-tools check-cuda

# Builds, pulls the starter models, opens saseo's own manual and answers five questions.
demo: check-tools
	$(CARGO) build --release --locked
	$(SASEO) models pull
	$(SASEO) demo

# Everything, with the real starter models, in both of their forms.
test: check-tools
	$(CARGO) build --release --locked
	$(SASEO) --models $(SASEO_TEST_MODELS) models pull
	SASEO__LIBRARIAN__MANIFEST=deploy/models/starter-q8.toml $(SASEO) --models $(SASEO_TEST_MODELS) models pull
	$(CARGO) test --release --locked

# What needs no engine and no model: the inner loop.
test-core:
	$(CARGO) test --no-default-features --locked

# The messengers' sides against all that a Discord and a Slack on loopback can do to them, in
# full: about half an hour. It prints what it counted, and the seed that does it again (SASEO_SEED).
storms:
	SASEO_STORMS=full $(CARGO) test --no-default-features --features discord --locked \
		discord:: -- --nocapture --test-threads=2
	SASEO_STORMS=full $(CARGO) test --no-default-features --features discord,slack --locked \
		slack:: -- --nocapture --test-threads=2 --skip while_the_machine_is_busy
	@# It keeps both cores busy itself, and is measured alone.
	SASEO_STORMS=full $(CARGO) test --no-default-features --features discord,slack --locked \
		while_the_machine_is_busy -- --nocapture --test-threads=1

# Measures and prints a table; put nothing else on the machine meanwhile.
bench: check-tools
	$(CARGO) build --release --locked
	$(SASEO) models pull
	$(CARGO) bench --locked

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --no-default-features --all-targets --locked -- -D warnings
	$(CARGO) clippy --no-default-features --features discord --all-targets --locked -- -D warnings
	$(CARGO) clippy --no-default-features --features slack --all-targets --locked -- -D warnings

check-tools:
	@sh deploy/check-tools.sh

# saseo in a Discord that others wrote (npm discord-digital-twin); needs Node.js 20.
twin: check-tools
	$(CARGO) build --release --locked
	$(SASEO) models pull
	sh tests/twin/run.sh

# What Slack's own library for Python (PyPI slack_sdk) says of saseo's Slack; needs Python 3.
oracle:
	CARGO="$(CARGO)" sh tests/oracle/run.sh

# Builds the CUDA features with NVIDIA's compiler from Python wheels; no GPU is needed, and
# none is used: it shows that the GPU build compiles, not that it runs.
check-cuda: check-tools
	sh deploy/check-cuda.sh
