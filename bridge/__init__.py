"""Takes a billing panel's hooks as signed webhooks and does what a YAML map says."""

__version__ = "0.1.0"
