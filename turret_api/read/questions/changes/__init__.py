"""What changed, and how sure that is: the questions of a morning."""
