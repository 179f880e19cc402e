"""The store: every series parsed and checked once, in one float32 array."""
