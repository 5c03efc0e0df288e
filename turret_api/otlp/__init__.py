"""OpenTelemetry in: spans of calls of language models become events, by the way that `POST /track` goes.

The way of a span: `receiver` (ASGI) takes a request through the collector's desk, `wire` decodes it, `calls` reads what
a span says (with `names`, what each dialect calls its attributes, and `shapes`, how messages are written down), `turns`
gathers the calls of one turn of a user, and `events` makes its event, which the collector judges and stores as any
other. `memory` and `journal` keep turns whose end has not come; the latter survives a crash.
"""
