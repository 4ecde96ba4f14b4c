"""The operators' console: a blueprint under /console/, works without JavaScript."""
