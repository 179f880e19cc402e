"""Cohort readers: from tables and folders to participants and scans."""
