"""All that knows HTTP: how a request becomes a question, and its answer a response.

Front ──the same question again──> the same bytes, before the framework sees the request
  │
routes ──> parameters, questions: the query string as a frozen question, parsed once
  │
Replies ──> Engine.ask ──> ETag, packing, cursor ──> a response, which Front may keep
"""
