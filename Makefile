.PHONY: check test lock
check:
	./run.sh check-code
	./run.sh test
test:
	./run.sh test
# Keeps the versions that are there; delete a line, or the file, to take newer ones.
LOCK = uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-annotate --no-header setup.cfg --extra postgres
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev --extra e2e -o requirements-dev.lock
