"""The answers of the read API as types, from which the OpenAPI document is made.

Routes answer with bytes made once and kept, so these are not run over every answer; the tests hold every answer of
every route against them.
"""
