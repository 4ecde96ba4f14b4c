"""A billing panel that is not there: for the demo, and to judge the bridge in tests.

Nothing in here imports the rest of ``bridge``: what the panel expects of a
signature, a call or a date is written down a second time, on purpose.
"""
