# make run    install what is needed and start the app on http://127.0.0.1:7860
# make test   install what is needed, a browser too, then check the style and run every test
# make results   measure what the Explore tab draws (500 problems a setting; LIMIT=30 takes fewer)
# run and test are complete on a fresh Debian with Python 3.11. Everything Python goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHROMIUM ?= /usr/bin/chromium
PLUS := assets/models/llada-mini-wino-plus
LIMITED := $(if $(LIMIT),--limit $(LIMIT))
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: run test lint format examples results
.DELETE_ON_ERROR:

run: $(VENV)/installed
	$(BIN)/python app.py

test: lint $(CHROMIUM)
	CHROMIUM=$(CHROMIUM) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

examples: $(VENV)/installed
	examples/record.sh $(BIN)/python
	examples/record_lessons.sh $(BIN)/python

# A model that WINO+ trained is one more series, of the decoders that need no shadow block.
results: $(VENV)/installed
	$(BIN)/python -m wino_viz.evaluation.results $(LIMITED)
	if [ -d $(PLUS) ]; then \
	  $(BIN)/python -m wino_viz.evaluation.results --model $(notdir $(PLUS)) --figure tradeoff \
	    --decoders standard,threshold $(LIMITED); \
	fi

$(VENV)/installed: requirements.txt | $(BIN)/pip
	$(BIN)/pip install -q -r requirements.txt
	touch $@

$(VENV)/installed-dev: requirements.txt requirements-train.txt requirements-serve.txt requirements-dev.txt | $(BIN)/pip
	$(BIN)/pip install -q -r requirements-dev.txt
	touch $@

# Debian ships Python without venv's installer; fetch it where it is missing.
$(BIN)/pip:
	$(PYTHON) -m ensurepip --version >/dev/null 2>&1 || $(call apt,python3-venv)
	$(PYTHON) -m venv $(VENV)

$(CHROMIUM):
	$(call apt,chromium fonts-dejavu-core)

# Install Debian packages, as root or through sudo.
apt = { s=; [ "$$(id -u)" = 0 ] || s=sudo; $$s apt-get update -qq && $$s apt-get install -y -qq --no-install-recommends $(1); }
