"""How a text sounds: negative, neutral or positive."""
