"""What product people look at: pages at `/` and the few files they need, served without a build step or another host.

The pages hold no data: the browser fetches `/v1/…` with the session cookie that `sessions` gives for a project's read
or admin key. So a number that a person may see in the dashboard can be read from the API too, and the two are equal.
"""
