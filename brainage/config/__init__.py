"""Typed config groups: schemas, rules, reading, and what `_target_` names."""
