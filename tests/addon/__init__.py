"""Tests of the panel's side: the add-on in real PHP, on a stage for it."""
