"""The embedding model: texts become unit vectors.

`runtime` runs a converted model without torch, for the pipeline and the API; `kept` is where the lake holds it.
`minilm` is the English model, `universal` the multilingual one, and `multilingual` the default: both side by side.
`pooled` makes one vector of a text of any length. `embed` and `convert` load other models with sentence-transformers
and convert them, which only the pipeline does; the pipeline calls `open`.
"""
