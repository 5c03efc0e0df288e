"""What is told of each distinct text by itself, whoever said it and when."""

from __future__ import annotations

import polars as pl

from turret_pipeline.lake.schema import VECTOR, Column, Table
from turret_pipeline.lake.tables.columns import PROJECT, TEXT_ID

SHARED_FRAMES = Table(
    "shared_frames",
    "One long passage, or line of context, that many of a project's texts share, and that they are read without.",
    ("project_id", "text"),
    (
        PROJECT,
        Column("text", pl.String, "the passage, with {…} for what varies in it, such as a name or a date"),
        Column("n_texts", pl.Int64, "distinct texts that say something beside it, of those that were looked through"),
    ),
)

EMBEDDINGS = Table(
    "embeddings",
    "One distinct text with its vector, embedded once per model.",
    ("project_id", "model", "text_id"),
    (
        PROJECT,
        Column("model", pl.String, "name and revision of the embedding model"),
        TEXT_ID,
        Column("text", pl.String, "what was embedded: the text, of a long one what it asks"),
        Column("vector", VECTOR, "its embedding, float32, of unit length"),
        Column("quantized", pl.Binary, "the vector for search: a byte a component, the largest scaled to 127"),
    ),
)

TEXT_KINDS = Table(
    "text_kinds",
    "What one distinct text is by itself: whether it is a move of conversation, and how much it says.",
    ("project_id", "model", "text_id"),
    (
        PROJECT,
        Column("model", pl.String, "name and revision of the embedding model that it was told by"),
        TEXT_ID,
        Column(
            "move",
            pl.String,
            "greeting, thanks, yes, no, continue, correction, complaint, goodbye or other; null: none of these",
            nullable=True,
        ),
        Column("sureness", pl.Float32, "how sure `move` is, 0 to 1"),
        Column("weight", pl.Float32, "how much the text says without what was said before it, 0 to 1"),
    ),
)

TEXT_SENTIMENT = Table(
    "text_sentiment",
    "How one distinct text sounds: negative, neutral or positive.",
    ("project_id", "text_id"),
    (
        PROJECT,
        TEXT_ID,
        Column("model", pl.String, "name and revision of the embedding model that it was told by: the one in use"),
        Column("sentiment", pl.String, "negative, neutral or positive; what is not sure is neutral"),
        Column("score", pl.Float32, "how far positive leads negative, -1 to 1"),
    ),
)
