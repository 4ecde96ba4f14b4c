"""Tests of the arithmetic: tables of figures worked by hand."""
