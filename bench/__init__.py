"""How fast it is, beside what else does the same step: `python -m bench --help`."""
