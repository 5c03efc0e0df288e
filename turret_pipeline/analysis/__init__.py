"""The methods: frames and arrays in, frames and arrays out. No paths, no Dagster, no settings."""
