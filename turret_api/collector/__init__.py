"""`POST /track`: from bytes on the wire to an event on stable storage, and from there to a Parquet part in the lake."""
