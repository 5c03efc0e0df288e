"""Types of metadata fields, and the messages in those that are text."""
