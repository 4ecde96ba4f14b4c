"""Money and dates: pure functions over plain values, without any I/O."""
