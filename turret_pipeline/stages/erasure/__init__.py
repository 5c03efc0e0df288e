"""Erasing what a user, a session or an event brought, or all events with a text, out of a project's lake.

    wanted ──gather──▶ what goes, written down in the lake (`erasing/`) ──raw parts are written anew without it──▶
    ──its rows leave `events`, which counts as taken back──▶ ──edits and notes that quote it go──▶ a build brings all
    other tables there ──nothing that remains is found──▶ histories are forgotten ──▶ the written list goes

A build makes anew what remembers (`Stage.remembers`), as after an import that was taken back: so topics keep their
ids, and nothing that only the erased events said. Each step can be done again, so an erasure that was killed is called
again with the same list. Nothing here knows of what lies outside the lake: that is `turret_api.erasing`.
"""
