"""Training, validation and test participants."""
