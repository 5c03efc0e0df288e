"""People: who may come in and as what, and the audit log of what they did."""
