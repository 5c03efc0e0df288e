"""The assets: what people see in Dagster's UI. A body is a call of a stage and a line about what it did.

    raw_events → events → field_profiles      by day of receipt and project   (room `events`)
    field_types → messages → embeddings       by project                      (room `models`)
      → topics, topic_assignments → topic_days, step_values, journey_edges

`room` is what they share: whose lake, the lock, what is shown of an outcome.
"""
