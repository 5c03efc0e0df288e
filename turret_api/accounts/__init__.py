"""Projects, plans, keys and quota use, in Postgres."""
