"""Questions about journeys: the graph, and what is read off the visits behind it."""
