"""Tests of sending, phone numbers and the console provider."""
