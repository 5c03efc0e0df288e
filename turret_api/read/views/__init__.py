"""What several questions see of the tables: pure functions from a snapshot to frames, kept while the tables stay."""
