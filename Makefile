# The menu. Everything else is `target/release/sugarbush --help`. Pass options with ARGS="...".
export PATH := $(PATH):$(HOME)/.cargo/bin
SUGARBUSH := $(or $(CARGO_TARGET_DIR),target)/release/sugarbush

.PHONY: run test lint bench diff image debug museum soak clean build setup tool
run: tool ; @$(SUGARBUSH) run $(ARGS)
test: tool ; @$(SUGARBUSH) test --all $(ARGS)
lint: tool ; @boot/setup.sh lint && $(SUGARBUSH) lint
bench: tool ; @boot/setup.sh bench && $(SUGARBUSH) bench $(if $(LINUX),--linux $(LINUX)) $(ARGS)
diff: tool ; @$(SUGARBUSH) diff $(if $(N),--random $(N)) $(ARGS)
image: tool ; @boot/setup.sh image && $(SUGARBUSH) image --out target/sugarbush.img $(ARGS)
debug: tool ; @$(SUGARBUSH) run --gdb $(ARGS)
museum: tool ; @$(SUGARBUSH) museum $(ARGS)
soak: tool ; @$(SUGARBUSH) soak $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)
build: tool ; @$(SUGARBUSH) build
clean: ; cargo clean
tool: setup ; @cargo build --quiet --release --package boot
setup: ; @boot/setup.sh
