"""Imported last by the server of forks: forks do not collect what it has imported, which would copy its memory."""

import gc

gc.collect()
gc.freeze()
