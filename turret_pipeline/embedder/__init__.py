"""The embedding model: texts become unit vectors.

`runtime` runs a converted model without torch, for the pipeline and the API; `kept` is where the lake holds it. `embed`
and `convert` load models with sentence-transformers and convert them, which only the pipeline does; the pipeline calls
`open`.
"""
