"""Questions about topics: all of a field, one, their map, their fits, and what people changed about them."""
