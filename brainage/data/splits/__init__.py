"""Training, validation and test participants: splits that are drawn, and splits that are read from a file.

A split is a Series of part names with the index ``participant_id``, sorted. It is drawn over the participants of a
table before their files are looked at.
"""

PARTS = ("train", "val", "test")
