"""What an answer does with the request: whether it refuses, apologises, or answers."""
