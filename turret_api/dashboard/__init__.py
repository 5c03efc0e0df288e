"""What product people look at: pages at `/` and the few files they need, served without a build step or another host.

The pages hold no data: the browser fetches `/v1/…` with the session cookie that `sessions` gives for a project's read
or admin key. So whoever may see a number in the dashboard may read it from the API, and the two are equal.
"""
