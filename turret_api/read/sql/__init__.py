"""What answers are made of, as SQL that DuckDB runs on the lake: a reader can count each number on a page again.

A question says its statements beside its answer (`Question.queries`), one for each part of the answer. What they share
is views, written here once: what people edited, the messages that pass the filters, visits, edges. `engine.script` puts
what a question's statements need before them, down to the tables of the lake. Nothing in the product is answered by
this SQL: it is a second way to the same numbers, and a test holds the two against each other.
"""
