"""The pages served at `/`; their data comes from the read API."""
