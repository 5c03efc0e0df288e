"""What answers questions, whatever they are: it knows tables, processes and bytes, but no question and no HTTP.

Engine.ask ── Library.snapshot ──> Snapshot        one state of the project's tables
    │
    ├── Cache ──> the answer, if this question was answered in this state
    │
    └── Calculator ──socket──> process.main ──> Engine.ask, there without a calculator
                                                    └── question.answer(snapshot) ──> encode ──> bytes
"""
