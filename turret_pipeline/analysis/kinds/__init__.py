"""What a text is by itself: a request, or a move of the conversation; and how much it says."""
