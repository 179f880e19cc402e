"""Trained networks on their way: read from a run or a bundle, handed on as one, imported as one."""
