"""How messages sound: negative, neutral or positive, by the words alone.

It is what the writer says of how he feels or judges, not whether what he talks about is good or bad: "How do I report a
stolen card?" is neutral, and so is every text of which the classifier is not sure.
"""

NEGATIVE, NEUTRAL, POSITIVE = SENTIMENTS = ("negative", "neutral", "positive")
"""All sentiments, the worst first."""
