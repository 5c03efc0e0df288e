"""Names of topics and themes, in the words of their messages or a language model's."""
