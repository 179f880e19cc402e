"""From participants' files and tables to batches: readers, splits, the store, the data module."""
