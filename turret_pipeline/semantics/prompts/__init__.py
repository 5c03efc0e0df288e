"""Long prompts: what a text asks, apart from the material that it carries.

`asked` is what a text is embedded, named and shown in topics by. `material` finds what was pasted, `asking` the
sentences that ask, `windows` cuts what is left into parts that a model can read.
"""
