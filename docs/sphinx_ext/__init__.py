"""Extensions of Sphinx: links, and the reference of commands and keys."""
