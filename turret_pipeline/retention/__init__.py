"""Letting go of what people wrote, and of who they were, while all that was counted stays (`semantics.gone`).

    run        what is due now by the rules of a project, and what was removed
    strip      events go on to count and say no more: in raw parts, then in every table, then in the tables' past

Nothing that is counted changes, so rows are rewritten in the state in which they were (`ProjectTable.rewrite`), and no
stage has anything to do afterwards. Stages that make rows anew find marks in the place of texts, and keep what they
know of them.
"""
