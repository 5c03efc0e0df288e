"""The stages: each brings one table of one project up to date, without Dagster.

    events → field_profiles → field_types → messages → embeddings → topics, topic_assignments
    → topic_days, journey_steps → step_values, journey_moves → journey_edges

A stage reads the lake, calls the analysis and writes the lake. What is new it finds from state: each commit carries the
fingerprint of the input it was made from (`lake.commits`), so a stage compares fingerprints and does the difference,
or nothing. Killed anywhere and called again it leaves the same tables as if it had not been killed; two calls in a row
leave what one left. Only one process at a time may run stages of a project: the callers see to it
(`orchestration.locks`), and the lake refuses the second commit if they fail. Models are imported when there is
something to embed or to fit, not before.
"""
