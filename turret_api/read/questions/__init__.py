"""The questions that the read API answers, each with its type of answer: pure, and without HTTP."""
