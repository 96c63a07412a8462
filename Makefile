# Two commands are all you need:
#   make demo [SECONDS=30]   sets up the agent (no TensorFlow) and shows the whole chain at work
#   make test                sets up everything and runs all checks and tests
# Each sets up what it needs by itself. Where that takes root and you are not, it says what to install.

PYTHON ?= python3.11
SECONDS ?=
DATA ?= ../shared
GROCERY ?= build/grocery
VENV_DEMO := .venv-demo
VENV := .venv

.PHONY: demo test packages tools lint unit system bundle grocery grocery-best bench faults alerts aarch64 deb lock docs clean help

help:
	@sed -n '2,4s/^# *//p' Makefile; echo "also: make tools | lint | unit | system | bundle | grocery | grocery-best | bench | faults | alerts | aarch64 | deb | docs | lock | clean"

demo: $(VENV_DEMO)/ready
	$(VENV_DEMO)/bin/shelf-agent demo $(if $(SECONDS),--seconds $(SECONDS))

test: packages lint unit system

# What Debian has, all at once: first, so that who has no root is told before anything long begins.
packages:
	@deploy/setup-system.sh test "$(PYTHON)"

# shelf-train, shelf-convert and shelf-agent in .venv/bin, without running a test.
tools: $(VENV)/ready

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	MYPYPATH=deploy/ingest $(VENV)/bin/mypy deploy/ingest

unit: packages $(VENV)/ready
	$(VENV)/bin/pytest tests/edge_agent -m "not system" -n 3 --dist worksteal # they mostly wait
	$(VENV)/bin/pytest tests -m "not system" --ignore tests/edge_agent -n 2 --dist loadfile # TensorFlow: all cores at work

system: packages $(VENV)/ready
	@deploy/setup-web.sh
	$(VENV)/bin/pytest tests/system tests/edge_agent -m "system and not alone" -rP -n 2 \
	  --dist loadfile --no-loadscope-reorder # half of it waits; the longest comes early
	$(VENV)/bin/pytest tests/system -m alone -rP # each has the machine for itself: a time is measured in it

# The demo's model: drawings of the products → a network → an int8 bundle. About 10 minutes on two cores.
bundle: $(VENV)/ready
	rm -rf build/demo && mkdir -p build/demo
	$(VENV)/bin/python -m edge_agent.demo.drawings build/demo/drawings --crops 10000
	$(VENV)/bin/shelf-train fit build/demo/drawings --out build/demo/model.keras --seed 1 \
	  --network mobilenet-v2 --width 0.35 --size 96 --weights none --no-flip --epochs 14
	$(VENV)/bin/shelf-train evaluate build/demo/model.keras build/demo/drawings --out build/demo/evaluation
	$(VENV)/bin/shelf-convert build/demo/model.keras --calibrate build/demo/drawings --id demo-shelf --slim \
	  --out edge_agent/demo/bundle

# The grocery photographs: a new head on a frozen backbone, and its int8 bundle. About 5 minutes on two cores. The list has
# 296 photographs, too few to prove what int8 loses: hence --allow-unproven.
grocery: $(VENV)/ready
	$(VENV)/bin/shelf-train fit $(DATA)/data/grocery/train.txt --validation $(DATA)/data/grocery/val.txt \
	  --network mobilenet-v2 --size 224 --weights $(DATA)/weights/mobilenet_v2_imagenet.weights.h5 \
	  --out $(GROCERY)/model.keras
	$(VENV)/bin/shelf-convert $(GROCERY)/model.keras --calibrate $(DATA)/data/grocery/train.txt \
	  --evaluate $(DATA)/data/grocery/val.txt --allow-unproven --id grocery --out $(GROCERY)/bundle

# The best that there is for the same photographs: a MobileNetV1 that is fine-tuned, its page, and its int8 bundle.
# Training took 28 minutes on two busy cores, and 12 with SIZE=160; converting takes about 20 more, as int8 loses too much
# at first and the network is fine-tuned for it.
SIZE ?= 224
grocery-best: $(VENV)/ready
	$(VENV)/bin/shelf-train fit $(DATA)/data/grocery/train.txt --validation $(DATA)/data/grocery/val.txt \
	  --recipe best --network mobilenet-v1 --size $(SIZE) --weights $(DATA)/weights/mobilenet_v1_imagenet.weights.h5 \
	  --out $(GROCERY)/best-$(SIZE)/model.keras
	$(VENV)/bin/shelf-train report $(GROCERY)/best-$(SIZE)/model.keras $(DATA)/data/grocery/val.txt \
	  --out $(GROCERY)/best-$(SIZE)/report.html
	$(VENV)/bin/shelf-convert $(GROCERY)/best-$(SIZE)/model.keras --calibrate $(DATA)/data/grocery/train.txt \
	  --evaluate $(DATA)/data/grocery/val.txt --target all --allow-unproven --id grocery-$(SIZE) \
	  --out $(GROCERY)/best-$(SIZE)/bundle

# The first time, bench_convert.py trains three networks: about half an hour on two cores. LiteRT is compared with
# OpenVINO and ONNX Runtime where they are: make an environment with pip install -e '.[bench]', and run it there (tf2onnx
# brings a folder "tests" that hides ours, so not in .venv).
bench: $(VENV)/ready
	$(VENV)/bin/python benchmarks/bench_step.py
	$(VENV)/bin/python benchmarks/bench_input.py
	$(VENV)/bin/python benchmarks/bench_convert.py --shared $(DATA)
	$(VENV)/bin/python benchmarks/bench_inference.py

# What cameras, disks, brokers, plugs and kills do to the agent, as often as was asked for: asked and seen. About half an
# hour on two cores, some five minutes with SCALE=0.1. Needs root for disks (loop devices) and for the service
# (systemd-nspawn): what can't be done is told as "not measured".
SCALE ?= 1
faults: packages $(VENV)/ready
	$(VENV)/bin/python benchmarks/bench_faults.py all --scale $(SCALE)

# A week of alerts in a simulated shop, against the truth: about six minutes on two idle cores, and once some more for the
# library of looks.
alerts: $(VENV)/ready
	$(VENV)/bin/python benchmarks/bench_alerts.py

# An emulated 64-bit ARM device in build/aarch64, for tests/system/test_aarch64.py and bench_inference.py. A minute.
aarch64: $(VENV)/ready
	benchmarks/aarch64.sh build/aarch64 $(VENV)/bin/python

# Debian packages of the agent in build/deb, for x86-64 and 64-bit ARM, with all wheels inside. DEBIAN_PYTHON=3.13 is for
# Debian 13. Half a minute.
deb: $(VENV_DEMO)/ready
	PYTHON=$(VENV_DEMO)/bin/python deploy/deb/build.sh

docs: packages $(VENV)/ready
	$(VENV)/bin/python -m edge_agent.demo.pictures docs
	$(VENV)/bin/python benchmarks/screenshots.py docs
	$(VENV)/bin/python -m edge_agent.reference docs/configuration.md

$(VENV_DEMO)/ready: deploy/lock/demo.txt pyproject.toml
	@deploy/setup-venv.sh "$(PYTHON)" $(VENV_DEMO) deploy/lock/demo.txt
	@touch $@

$(VENV)/ready: deploy/lock/dev.txt pyproject.toml
	@deploy/setup-venv.sh "$(PYTHON)" $(VENV) deploy/lock/dev.txt
	@touch $@

# Locks hold hashes for every platform; pip checks them. Needs uv (pip install uv). tflite.txt is for a device that has
# tflite-runtime and no LiteRT. tflite-support.txt is TensorFlow Lite Support, which a test reads our metadata with.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
  --no-emit-find-links --no-annotate pyproject.toml
lock:
	$(LOCK) -o deploy/lock/agent.txt
	$(LOCK) --extra demo -o deploy/lock/demo.txt
	$(LOCK) --extra dev -o deploy/lock/dev.txt
	echo "numpy<2" | $(LOCK) --extra tflite -c - -o deploy/lock/tflite.txt --no-emit-package ai-edge-litert \
	  --no-emit-package backports-strenum --no-emit-package tqdm --no-emit-package flatbuffers --no-emit-package protobuf
	printf 'tflite-support==0.4.4\nnumpy<2\nprotobuf<4\n' | $(subst pyproject.toml,-,$(LOCK)) -o deploy/lock/tflite-support.txt \
	  $(addprefix --no-emit-package ,cffi pybind11 pycparser sounddevice)

clean:
	rm -rf $(VENV) $(VENV_DEMO) build
