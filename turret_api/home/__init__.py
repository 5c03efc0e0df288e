"""What commands and erasures do in a home alike: bring in its spools, ready it for Dagster, let one import in."""
