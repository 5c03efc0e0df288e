"""Alerts: what a project wants to be told of, what was found, and the way of a message to people.

    a rule ──look──▶ found first ──▶ an open alert, and a message to each target, in one transaction
                       │               └── found again ──▶ still open, told no more
                       │               └── found no more ──▶ ended ──found again soon──▶ open again, told no more
                       └── found again after that ──▶ a new alert

    a message: waiting ──its time──▶ being sent ──2xx──▶ sent
                  ▲                      ├── anything else ──a pause──▶ waiting, `MOST_ATTEMPTS` times at most
                  └── sent again by hand ┴── no more attempts, or none may help ──▶ dead, shown until it is sent again

What is found is what `/v1/changes` says, so that an alert and the page tell one number, and false alarms are kept to
one day in twenty over all that a project's rules look at. Dagster decides when to look (`orchestration/alerts.py`) and
runs `python -m turret_api.alerts`, which looks and sends. Everything that outlives it is in Postgres, so any number of
hosts may do so at once: an alert is noted under its project's lock, and a message is claimed before it is sent. Killed
between sending and noting that, it sends once more, under the same id.
"""
