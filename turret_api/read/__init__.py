"""The read API, `/v1/…`: answers from the lake's tables alone."""
