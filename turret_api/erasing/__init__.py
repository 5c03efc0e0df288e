"""Erasing a user, a session, an event or texts: from the lake, and from everywhere else that has what they sent."""
