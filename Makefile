.PHONY: check test
check:
	./run.sh check-code
	./run.sh test
test:
	./run.sh test
