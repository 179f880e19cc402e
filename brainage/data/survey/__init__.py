"""What a cohort's files and table are like, before anything is trained: no participant's id is in any result."""
